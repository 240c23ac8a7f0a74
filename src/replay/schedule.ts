/** Schedules as text, for command lines and mailing lists: `run0*5 drain0 run1:2`. */
import { formatChoice, parseChoice } from '../smp/choice.ts'
import type { Cycle } from './record.ts'

/** Longest schedule that a text may stand for, in choices. */
const LENGTH_MAX = 1_000_000

/** A text that is no schedule; `message` names the word. */
export class ScheduleError extends Error {}

/** `cycle:1` in a schedule: what follows repeats for ever, and gets vCPU 1 nowhere. Nothing follows where nobody has to go on. */
const CYCLE_WORD = 'cycle:'
const CYCLE = /^cycle:\d{1,2}$/

/** The schedule with the place in it from which it repeats. */
export function formatRound(schedule: readonly number[], { from, victim }: Cycle): string {
  return [formatSchedule(schedule.slice(0, from)), `${CYCLE_WORD}${victim}`, formatSchedule(schedule.slice(from))].filter((one) => one !== '').join(' ')
}

/** Choices from the start, equal neighbours joined by `*count`. */
export function formatSchedule(schedule: ArrayLike<number>): string {
  const words: string[] = []
  for (let k = 0, count = 1; k < schedule.length; k += count, count = 1) {
    while (k + count < schedule.length && schedule[k + count] === schedule[k]) count++
    words.push(formatChoice(schedule[k]) + (count === 1 ? '' : `*${count}`))
  }
  return words.join(' ')
}

/**
 * A whole schedule line as `explain` ends in, with what was shared (sharingText.ts) in front, quoted or broken
 * into lines as mail programs do.
 * @throws ScheduleError
 */
export function parseScheduleLine(text: string): { sharing: string[]; schedule: number[]; cycle: Cycle | null } {
  const words = text.replace(/^[\s>]*schedule:/i, '').split(/[\s>\\]+/).filter((one) => one !== '')
  const isSharing = (word: string) => /^(share|irq|int|nmi|page|uncached|entries):/.test(word)
  const choices = words.filter((word) => !isSharing(word))
  const at = choices.findIndex((word) => CYCLE.test(word))
  if (at < 0) return { sharing: words.filter(isSharing), schedule: parseSchedule(choices.join(' ')), cycle: null }
  const before = parseSchedule(choices.slice(0, at).join(' '))
  const round = parseSchedule(choices.slice(at + 1).join(' '))
  const victim = Number(choices[at].slice(CYCLE_WORD.length))
  return { sharing: words.filter(isSharing), schedule: [...before, ...round], cycle: { from: before.length, victim } }
}

/** @throws ScheduleError */
export function parseSchedule(text: string): number[] {
  const schedule: number[] = []
  for (const word of text.split(/\s+/).filter((one) => one !== '')) {
    const [spelling, times = '1', ...rest] = word.split('*')
    const choice = parseChoice(spelling)
    const count = /^\d{1,7}$/.test(times) ? Number(times) : 0
    if (choice === null || count === 0 || rest.length > 0)
      throw new ScheduleError(`'${word}' is no choice: write run0, run1:2, drain0, irq1:33 (irq1:33.1: of declared source 1) or nmi0, with *count behind it to repeat`)
    if (schedule.length + count > LENGTH_MAX) throw new ScheduleError(`a schedule has at most ${LENGTH_MAX} choices`)
    for (let k = 0; k < count; k++) schedule.push(choice)
  }
  return schedule
}
