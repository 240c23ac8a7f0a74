/** Random walk: each choice is as likely as the others. */
import type { Draw, Strategy } from './strategy.ts'

export function walk(draw: Draw): Strategy {
  return { name: 'random', begin: () => {}, pick: (_machine, _choices, count) => draw(count), taken: () => {}, end: () => {} }
}
