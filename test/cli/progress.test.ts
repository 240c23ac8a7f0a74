// The line of progress: what it says, and that it stays one line.
import { expect, it, vi } from 'vitest'
import { describeProgress, showProgress } from '../../src/cli/progress.ts'
import { counted } from '../../src/replay/columns.ts'

const searching = { states: 5, events: 1_234_567, preemptions: 3, executions: 654_321, done: 0.0123, orders: { pairs: 99, both: 77 } }

it('says how far, how fast and how much there may be', () => {
  expect(describeProgress(searching, 100, 345)).toBe('654321 executions (6543/s), 1234567 events, 345 MB; 1.2 % done of about 53196829; 77 of 99 conflicts in both orders')
  expect(describeProgress({ states: 800, events: 1600, preemptions: 2 }, 4, 60)).toBe('800 states (200/s), schedules of 2 preemptions, 1600 events, 60 MB')
})

it.each([undefined, 80, 40])('is no longer than the terminal: %s columns', (columns) => {
  const written: string[] = []
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => (written.push(String(text)), true))
  const before = process.stderr.columns
  try {
    process.stderr.columns = columns!
    showProgress(describeProgress(searching, 100, 345))
  } finally {
    process.stderr.columns = before
    write.mockRestore()
  }
  const [line] = written
  expect(line).toMatch(/^\r654321 executions.*\.\.\.\u001b\[K$/)
  expect(line.length).toBe('\r\u001b[K'.length + (columns ?? 80) - 1)
})

it('counts in words', () => {
  expect([0, 1, 2].map((count) => counted(count, 'path'))).toEqual(['0 paths', '1 path', '2 paths'])
  expect([1, 2].map((count) => counted(count, 'class', 'classes'))).toEqual(['1 class', '2 classes'])
})
