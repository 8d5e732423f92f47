import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { App } from './test.ts'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/**
 * What is wrong for people with assistive technology: WCAG 2 A and AA, and axe's own best practices.
 * @param theme only light is asked about everything: dark differs from it by its colours alone
 */
export async function accessibilityProblems({ page }: App, theme: 'light' | 'dark'): Promise<string[]> {
  // Evaluated by the inspector: the page's own policy would not let it in.
  await page.evaluate(`window.axe === undefined && (() => { ${axe} })()`)
  const rules = theme === 'dark' ? { runOnly: ['color-contrast'] } : {}
  const results = await page.evaluate(
    (options) => (window as unknown as { axe: { run: (context: object, options: object) => Promise<AxeResults> } }).axe.run(document, options),
    { resultTypes: ['violations'], ...rules },
  )
  return results.violations.flatMap((rule) =>
    rule.nodes.map((node) => `${rule.id} (${rule.impact ?? 'none'}): ${node.html.slice(0, 160)}: ${node.failureSummary ?? ''}`),
  )
}
