import { dirname, join, normalize, relative, sep } from 'node:path'
import { mayImport, roomOf } from './layers.mjs'
import { root } from './environment.mjs'

/** Lint rule `drydock/layers`: an import that build/layers.mjs does not allow is an error where it stands. */
export const layersRule = {
  meta: { type: 'problem', schema: [], messages: { forbidden: '{{from}} may not import {{to}} (build/layers.mjs).' } },
  create(context) {
    const file = relative(root, context.filename).split(sep).join('/')
    const from = roomOf(file)
    if (from === null) return {}
    const check = (node) => {
      const specifier = node.source?.value
      if (typeof specifier !== 'string') return
      const clean = specifier.replace(/\?.*$/, '')
      const target = clean.startsWith('#')
        ? clean.slice(1)
        : clean.startsWith('.')
          ? normalize(join(dirname(file), clean))
              .split(sep)
              .join('/')
          : null
      const to = target === null ? null : roomOf(target)
      if (to !== null && !mayImport(from, to)) context.report({ node, messageId: 'forbidden', data: { from, to } })
    }
    return { ImportDeclaration: check, ExportNamedDeclaration: check, ExportAllDeclaration: check, ImportExpression: check }
  },
}
