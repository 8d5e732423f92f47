import { expect, it } from 'vitest'
import { typedErrors, typedErrorsText } from '#shared/kubernetes/customresource/typedErrors.ts'

const spec = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    address: { type: 'string', format: 'ipv4' },
    bytes: { type: 'string', format: 'byte' },
    set: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
  },
}
const errorsOf = (value: object): string => typedErrorsText(typedErrors({ spec: value } as never, { type: 'object', properties: { spec } }))

// As kube-apiserver 1.36 answered applies of such objects.
it.each([
  [{ address: true, set: ['5%', '5%', 'abc'] }, '.spec.set: duplicate entries for key [="5%"]'],
  [{ name: true, address: 3 }, '.spec.name: expected string, got &value.valueUnstructured{Value:true}'],
  [{ bytes: true }, '.spec.bytes: expected string, got &value.valueUnstructured{Value:true}'],
])('%j: %s', (value, text) => {
  expect(errorsOf(value)).toBe(text)
})

it('takes any scalar for a text with a format, and nothing else', () => {
  expect(errorsOf({ address: { a: 1 } })).toMatch(/^\.spec\.address: expected any scalar, got /)
})
