import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { App } from './test.ts'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What is wrong for people with assistive technology: WCAG 2 A and AA, and axe's own best practices. */
export async function accessibilityProblems({ page }: App): Promise<string[]> {
  // Evaluated by the inspector: the page's own policy would not let it in.
  await page.evaluate(`window.axe === undefined && (() => { ${axe} })()`)
  const results = await page.evaluate(() =>
    (window as unknown as { axe: { run: (context: object, options: object) => Promise<AxeResults> } }).axe.run(document, { resultTypes: ['violations'] }),
  )
  return results.violations.flatMap((rule) =>
    rule.nodes.map((node) => `${rule.id} (${rule.impact ?? 'none'}): ${node.html.slice(0, 160)}: ${node.failureSummary ?? ''}`),
  )
}
