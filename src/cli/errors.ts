/** The user's mistake: one line that says what, where, and what to do; exit code 2. */
export class UsageError extends Error {}

/** A replay left its recording; exit code 4. */
export class DivergedError extends Error {}

export const EXIT = { complete: 0, violated: 1, usage: 2, open: 3, diverged: 4, internal: 70, interrupted: 130 } as const
