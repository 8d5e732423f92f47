import type { NodeConnection } from '#electron/controlplane/apiserver/interface.ts'

/** For an API server without kubelets: whatever is asked of a node fails. */
export const noNodes: NodeConnection = {
  logs: () => {
    throw new Error('there are no nodes')
  },
  exec: () => Promise.reject(new Error('there are no nodes')),
  attach: () => Promise.reject(new Error('there are no nodes')),
  portForward: () => Promise.reject(new Error('there are no nodes')),
  usage: () => Promise.resolve([]),
}
