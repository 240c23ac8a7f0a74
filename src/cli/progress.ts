/** How far a search has come, in the one line of a terminal that is written again and again. */
import type { Progress } from '../explore/explorable.ts'
import { shortened } from '../replay/columns.ts'

/** Over what stood in the line before. A longer one than the terminal is wide would scroll. */
export function showProgress(text: string): void {
  process.stderr.write(`\r${shortened(text, (process.stderr.columns ?? 80) - 1)}\u001b[K`)
}

/** How far, how fast, and how much there may be; what matters least stands last. */
export function describeProgress({ states, events, executions, preemptions, done, orders }: Progress, seconds: number, megabytes: number): string {
  const rate = (count: number) => `${Math.round(count / Math.max(seconds, 0.001))}/s`
  const what =
    executions === undefined || done === undefined
      ? `${states} states (${rate(states)}), schedules of ${preemptions} preemptions`
      : `${executions} executions (${rate(executions)})`
  const left = done === undefined || done <= 0 ? '' : `; ${(done * 100).toPrecision(2)} % done of about ${Math.round((executions ?? 0) / done)}`
  const seen = orders === undefined ? '' : `; ${orders.both} of ${orders.pairs} conflicts in both orders`
  return `${what}, ${events} events, ${megabytes} MB${left}${seen}`
}
