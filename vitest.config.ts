import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** In a fresh clone nobody knows how long a file takes: those that start clusters come first, so that none of them is what is left at the end. */
class ClustersFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => (/\/test\/electron\/(?:integration|commands)\//u.test(moduleId) ? 0 : 1)
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  test: {
    // Most of the time goes by waiting for clusters and programs, so a machine with few cores does well with several at once.
    maxWorkers: 4,
    sequence: { sequencer: ClustersFirst },
    projects: [
      { test: { name: 'node', environment: 'node', include: ['test/{shared,electron,architecture,build}/**/*.test.ts'], testTimeout: 30_000 } },
      // Long proofs against real programs (docs/conformance.md); not part of `npm test`. One file at a time: they measure and load.
      {
        test: {
          name: 'conformance',
          environment: 'node',
          include: ['test/conformance/**/*.test.ts'],
          testTimeout: 3_600_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        plugins: [vue()], // Its suites make their stores and unmount what they mount, so they can share a worker: starting one for each costs more than the tests.
        test: { name: 'page', environment: 'happy-dom', isolate: false, include: ['test/renderer/**/*.test.ts'] },
      },
    ],
  },
})
