import type { RouteLocationRaw } from 'vue-router'

/** The page on which a run is followed. */
export function runRoute(cluster: string, run: string): RouteLocationRaw {
  return { name: 'runbooks', params: { cluster }, query: { run } }
}
