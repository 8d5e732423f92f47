/**
 * Fills `$(NAME)` in; `$$` is one dollar, and a name that is not known stays as it was written.
 *
 * @see kubernetes third_party/forked/golang/expansion
 */
export function expand(text: string, valueOf: (name: string) => string | undefined): string {
  return text.replace(/\$(?:\$|\(([^)]*)\))/g, (whole, name: string | undefined) => (name === undefined ? '$' : (valueOf(name) ?? whole)))
}
