/**
 * A choice is one resolved nondeterminism, packed into 31 bits so that engines handle plain integers:
 *
 * ```
 *  30            12 11      8 7        0
 * [   argument     ][  kind  ][ vCPU    ]
 * ```
 *
 * RUN: the vCPU makes its next event. The argument selects among what the event leaves open: the fetch
 * variant (0 = what memory holds now), the value of a data choice, or which half of a split access goes
 * first; 0 is always the ordinary one.
 */
export const RUN = 0
/** An entry of the vCPU's store buffer reaches memory; argument: how many older ones it overtakes (0, but with storeOrder=any). */
export const DRAIN = 1
/** A maskable interrupt is delivered; argument: vector | source number + 1 << 8 (0: a pending IPI). */
export const INTERRUPT = 2
/** An NMI is delivered; argument: source number + 1 (0: a pending one that was sent). */
export const NMI = 3

/** The hypervisor takes the vCPU's pCPU away (pcpus.ts). */
export const DESCHEDULE = 4

/** It gives it one, where others see that; elsewhere the vCPU's next event is how it gets it. */
export const SCHEDULE = 5

export const CHOICE_KINDS = ['run', 'drain', 'irq', 'nmi', 'off', 'on'] as const
/** A vCPU does something, of its own accord or interrupted, or begins to; otherwise something is done to its stores, or its pCPU taken. */
export function isEvent(choice: number): boolean {
  const kind = choiceKind(choice)
  return kind !== DRAIN && kind !== DESCHEDULE
}

/** An interrupt or NMI of a declared source, not one that was sent. */
export function isDeclared(choice: number): boolean {
  const kind = choiceKind(choice)
  return (kind === INTERRUPT && choiceArgument(choice) >>> 8 !== 0) || (kind === NMI && choiceArgument(choice) !== 0)
}

export function packChoice(kind: number, vcpu: number, argument: number = 0): number {
  return (argument << 12) | (kind << 8) | vcpu
}
export function choiceVcpu(choice: number): number {
  return choice & 0xff
}
export function choiceKind(choice: number): number {
  return (choice >>> 8) & 0xf
}
export function choiceArgument(choice: number): number {
  return choice >>> 12
}

/** `run1`, `run1:2`, `drain0`, `irq1:33` (an IPI), `irq1:64.1` (of declared source 1): the spelling in schedules on the command line and in reports. */
export function formatChoice(choice: number): string {
  const argument = choiceArgument(choice)
  const text = choiceKind(choice) === INTERRUPT && argument > 0xff ? `${argument & 0xff}.${argument >> 8}` : `${argument}`
  return CHOICE_KINDS[choiceKind(choice)] + choiceVcpu(choice) + (argument === 0 ? '' : `:${text}`)
}

const SPELLING = new RegExp(`^(${CHOICE_KINDS.join('|')})(\\d{1,2})(?::(\\d{1,5})(?:\\.(\\d{1,3}))?)?$`)

/** The inverse of `formatChoice`; null where the text is not a choice. */
export function parseChoice(text: string): number | null {
  const match = SPELLING.exec(text)
  if (!match) return null
  const kind = (CHOICE_KINDS as readonly string[]).indexOf(match[1])
  if (match[4] !== undefined && kind !== INTERRUPT) return null
  return packChoice(kind, Number(match[2]), Number(match[3] ?? 0) | (Number(match[4] ?? 0) << 8))
}
