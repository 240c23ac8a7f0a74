/** The monitors of a machine, by what they want to be told of. */
import type { Board } from './board.ts'
import type { Monitor } from './monitor.ts'

export class Watchers {
  readonly all: readonly Monitor[]
  readonly accesses: readonly Monitor[]
  readonly drains: readonly Monitor[]
  readonly writes: readonly Monitor[]
  readonly returns: readonly Monitor[]
  readonly tellers: readonly Monitor[]
  readonly ends: readonly Monitor[]
  /** Who watches an address as it is executed. */
  readonly byAddress = new Map<number, Monitor[]>()
  /** Those that judge what a step does, not only marks. */
  readonly judges: readonly Monitor[]

  constructor(monitors: readonly Monitor[]) {
    this.all = monitors
    this.accesses = monitors.filter((monitor) => monitor.onAccess !== undefined)
    this.drains = monitors.filter((monitor) => monitor.onDrain !== undefined)
    this.writes = monitors.filter((monitor) => monitor.onWrite !== undefined)
    this.returns = monitors.filter((monitor) => monitor.onReturn !== undefined)
    this.tellers = monitors.filter((monitor) => monitor.tells !== undefined)
    this.ends = monitors.filter((monitor) => monitor.onEnd !== undefined)
    this.judges = monitors.filter(({ onAccess, onFetch, onReturn, onEnd }) => [onAccess, onFetch, onReturn, onEnd].some((one) => one !== undefined))
  }

  /** Gives each its words of the state, from index `ghosts` on. */
  attach(board: Board, ghosts: number): void {
    let at = ghosts
    for (const monitor of this.all) {
      monitor.attach(board, at)
      at += monitor.ghostWords(board.vcpuCount, board.sharing)
      for (const eip of monitor.watches ?? []) this.byAddress.set(eip, [...(this.byAddress.get(eip) ?? []), monitor])
    }
  }

  /** Instructions are looked at one by one. */
  seeInstructions(): boolean {
    return this.tellers.length > 0 || this.byAddress.size > 0 || !this.areIdle()
  }

  /** No judge has anything to judge yet. */
  areIdle(): boolean {
    for (let k = 0; k < this.judges.length; k++) if (this.judges[k].isIdle?.() !== true) return false
    return true
  }

  /** Every judge can say whether it is idle. */
  get canBeIdle(): boolean {
    return this.judges.every((monitor) => monitor.isIdle !== undefined)
  }
}
