/** `XMCHECK_LONG=1 npm test` runs also what takes too long for every run. */
export const LONG = Boolean(process.env.XMCHECK_LONG)
