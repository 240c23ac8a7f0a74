/**
 * Partial order sampling (Yuan, Yang, Gu, CAV 2018): each event that could come next has a random priority, the highest one comes,
 * and those that race with it are drawn anew. So orders of events that conflict are sampled more evenly than schedules are.
 */
import type { Explorable } from '../explorable.ts'
import { actorOf, ACTORS_MAX, drawOf, type Draw, type Strategy } from './strategy.ts'

/** What a choice would access. */
export interface Access {
  physical: number
  /** 0: no memory. */
  sizeBytes: number
  writes: boolean
  /** It concerns other vCPUs by something else than memory. */
  signals: boolean
}

/** A machine that can tell what a choice would access; others are taken to conflict always. */
interface Telling extends Explorable {
  accessOf(choice: number, out: Access): void
}

export function pos(draw: Draw): Strategy {
  const priorities = new Float64Array(ACTORS_MAX)
  const known = new Uint8Array(ACTORS_MAX)
  const listed: number[] = []
  const here: Access = { physical: 0, sizeBytes: 0, writes: false, signals: true }
  const there: Access = { physical: 0, sizeBytes: 0, writes: false, signals: true }
  const renew = (actor: number) => {
    known[actor] = 1
    // 0 is left for nobody.
    priorities[actor] = 1 + draw(0x7fffffff)
  }
  return {
    name: 'pos',
    begin: () => known.fill(0),
    pick(machine, choices, count) {
      let best = -1
      listed.length = 0
      for (let k = 0; k < count; k++) {
        const actor = actorOf(choices[k])
        if (known[actor] === 0) renew(actor)
        if (best < 0 || priorities[actor] > priorities[best]) best = actor
        listed.push(choices[k])
      }
      const picked = drawOf(best, choices, count, draw)
      const tells = 'accessOf' in machine
      if (tells) (machine as Telling).accessOf(choices[picked], here)
      for (const choice of listed) {
        if (tells) (machine as Telling).accessOf(choice, there)
        if (!tells || conflict(here, there)) renew(actorOf(choice))
      }
      known[best] = 0
      return picked
    },
    taken: () => {},
    end: () => {},
  }
}

function conflict(a: Access, b: Access): boolean {
  if (a.signals || b.signals) return true
  if (!a.writes && !b.writes) return false
  return a.physical < b.physical + b.sizeBytes && b.physical < a.physical + a.sizeBytes
}
