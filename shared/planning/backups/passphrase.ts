/** Characters that a passphrase has at least which encrypts a backup or exported Secrets: a shorter one is tried out in no time. */
export const LEAST_PASSPHRASE_CHARACTERS = 8

/** What is said of one that is shorter. */
export const PASSPHRASE_TOO_SHORT = `a passphrase has at least ${String(LEAST_PASSPHRASE_CHARACTERS)} characters`
