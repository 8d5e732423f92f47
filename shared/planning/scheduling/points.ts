/** A plugin's points of nodes in their order; one number when all have as many. */
export type Points = number | readonly number[]
