/** A function's refusal of its arguments: the message is what the expression's error says. */
export class CelFunctionError extends Error {}

/** Every evaluation after the cost limit was reached ends with this. */
export class CelCostError extends Error {}
