import { HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import { EditorView } from '@codemirror/view'
import { tags } from '@lezer/highlight'

/** Colours and fonts of every editor, from the page's tokens, so that a theme change needs no new editor. */
export const editorLook = [
  EditorView.theme({
    '&': { height: '100%', color: 'var(--text)', backgroundColor: 'var(--surface)', fontSize: '12px' },
    '.cm-scroller': { fontFamily: 'var(--font-mono)', fontVariantLigatures: 'none', lineHeight: '1.5' },
    '.cm-gutters': { backgroundColor: 'var(--surface)', color: 'var(--muted)', border: 'none' },
    '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'var(--hover)' },
    '.cm-content': { caretColor: 'var(--text)' },
    '.cm-cursor': { borderLeftColor: 'var(--text)' },
    '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'var(--selected) !important' },
    '.cm-placeholder': { color: 'var(--muted)' },
    '.cm-panels': { backgroundColor: 'var(--raised)', color: 'var(--text)' },
    '.cm-changedLine': { backgroundColor: 'var(--good-bg) !important' },
    '.cm-deletedChunk': { backgroundColor: 'var(--bad-bg) !important' },
    '.cm-collapsedLines': { backgroundColor: 'var(--neutral-bg)', color: 'var(--muted)', backgroundImage: 'none' },
  }),
  syntaxHighlighting(
    HighlightStyle.define([
      { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--accent)' },
      { tag: [tags.string, tags.content], color: 'var(--text)' },
      { tag: [tags.number, tags.bool, tags.null, tags.keyword], color: 'var(--warn)' },
      { tag: tags.comment, color: 'var(--muted)', fontStyle: 'italic' },
      { tag: [tags.punctuation, tags.separator], color: 'var(--muted)' },
    ]),
  ),
]
