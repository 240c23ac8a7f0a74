/**
 * Scripts of kernel work for catalogue/P/P02.c, and of what else a hypervisor keeps for test/lazy/registers.c: generated ones, with flushes where the protocol puts them, and what each use of one sees,
 * said by a model that shares nothing with the guest: a queue of assignments to a few variables.
 */
import fc from 'fast-check'

export const OPS = {
  enter: 1, leave: 2, flush: 3, setPte: 4, setTls: 5, setCr3: 6, setTs: 7, setIopl: 8, setStack: 9,
  read: 10, loadFs: 11, useFpu: 12, seeCr3: 13, seeIopl: 14, seeStack: 15, change: 16, interrupt: 17,
  setLdt: 18, setCr4: 19, setDr7: 20, loadLdt: 21, seeCr4: 22, touch: 23,
} as const
export type Step = readonly [op: number, a: number, b: number]

/** XM_LAZY_CALLS of include/xmlazy.h: a full queue is flushed before the next update. */
const QUEUE = 8
/** Entries of a page table, pages, TLS entries, words that TLS entries may lead to, as in P02.c. */
const [ENTRIES, PAGES, TLS, WORDS] = [4, 3, 3, 4]

/** What every use sees and what is left at the end. Fields of the machine by name; page-table entries: page and changed bits. */
export function outcome(script: readonly Step[], isLazy: boolean): string {
  const state: Record<string, number> = { cr3: 0, ts: 0, iopl: 0, stack: 0, fs: 0, ldt: 0, cr4: 0, dr7: 0 }
  for (let n = 0; n < TLS; n++) state[`tls${n}`] = n
  for (let n = 0; n < 2 * ENTRIES; n++) state[`pte${n}`] = 0
  const seen: number[] = []
  let queue: [string, number][] = []
  let isQueueing = false
  const flush = () => {
    for (const [name, value] of queue) if (name !== '') state[name] = value
    queue = []
  }
  const update = (name: string, value: number) => {
    if (!isQueueing) {
      if (name !== '') state[name] = value
      return
    }
    if (queue.length === QUEUE) flush()
    queue.push([name, value])
  }
  /** An entry and the invalidation behind it. */
  const setPte = (entry: string, value: number) => [entry, ''].forEach((name) => update(name, value))
  for (const [op, a, b] of script)
    if (op === OPS.enter) isQueueing = isLazy
    else if (op === OPS.leave) {
      flush()
      isQueueing = false
    } else if (op === OPS.flush) flush()
    else if (op === OPS.setPte) setPte(`pte${a}`, b)
    else if (op === OPS.change) setPte(`pte${a}`, state[`pte${a}`] ^ (b << 4))
    else if (op === OPS.setTls) update(`tls${a}`, b)
    else if (op === OPS.setCr3) update('cr3', a)
    else if (op === OPS.setTs) update('ts', a)
    else if (op === OPS.setIopl) update('iopl', a)
    else if (op === OPS.setStack) update('stack', a)
    else if (op === OPS.setLdt) update('ldt', a)
    else if (op === OPS.setCr4) update('cr4', a)
    else if (op === OPS.setDr7) update('dr7', a)
    else if (op === OPS.touch) seen.push((state.dr7 >> a) & 1)
    else if (op === OPS.read) seen.push(state[`pte${state.cr3 * ENTRIES + (a % ENTRIES)}`] & 0xf)
    else if (op === OPS.loadFs) {
      const word = state[`tls${a}`]
      if (word !== WORDS) state.fs = word
      seen.push(Number(word !== WORDS), state.fs)
    } else if (op === OPS.useFpu) {
      seen.push(state.ts)
      state.ts = 0
    } else if (op === OPS.interrupt) {
      const temporary = `temporary${state.cr3}`
      setPte(temporary, a)
      if (b === 1) flush()
      seen.push(state[temporary] ?? 0)
    } else seen.push(state[SEEN_BY[op]])
  const { temporary0: _, temporary1: __, ...left } = state
  return JSON.stringify([seen, left])
}

/** Uses that show a field of the machine as it is. */
const SEEN_BY: Readonly<Record<number, string>> = {
  [OPS.seeCr3]: 'cr3', [OPS.seeIopl]: 'iopl', [OPS.seeStack]: 'stack', [OPS.loadLdt]: 'ldt', [OPS.seeCr4]: 'cr4',
} // prettier-ignore

const number = (count: number) => fc.nat({ max: count - 1 })
const step = (op: number, a: fc.Arbitrary<number>, b: fc.Arbitrary<number> = fc.constant(0)): fc.Arbitrary<Step> => fc.tuple(fc.constant(op), a, b)
const none = fc.constant(0)
const update = fc.oneof(
  { weight: 3, arbitrary: step(OPS.setPte, number(2 * ENTRIES), number(PAGES + 1)) },
  { weight: 2, arbitrary: step(OPS.setTls, number(TLS), number(WORDS + 1)) },
  step(OPS.setCr3, number(2)), step(OPS.setTs, number(2)), step(OPS.setIopl, number(4)), step(OPS.setStack, number(4)),
)
const use = fc.oneof(
  { weight: 3, arbitrary: step(OPS.read, number(ENTRIES)) },
  { weight: 2, arbitrary: step(OPS.loadFs, number(TLS)) },
  step(OPS.useFpu, none), step(OPS.seeCr3, none), step(OPS.seeIopl, none), step(OPS.seeStack, none),
  step(OPS.change, number(2 * ENTRIES), fc.constant(0x200)), step(OPS.interrupt, number(PAGES + 1), fc.constant(1)),
)
const registerUpdate = fc.oneof(step(OPS.setLdt, number(2)), step(OPS.setCr4, number(4)), step(OPS.setDr7, number(4)))
const registerUse = fc.oneof(step(OPS.loadLdt, none), step(OPS.seeCr4, none), step(OPS.touch, number(2)))
/** An update and, at once, what depends on it: all others mostly miss each other. */
const USE_OF: Readonly<Record<number, number>> = {
  [OPS.setPte]: OPS.read, [OPS.setTls]: OPS.loadFs, [OPS.setCr3]: OPS.seeCr3, [OPS.setTs]: OPS.useFpu, [OPS.setIopl]: OPS.seeIopl, [OPS.setStack]: OPS.seeStack,
  [OPS.setLdt]: OPS.loadLdt, [OPS.setCr4]: OPS.seeCr4, [OPS.setDr7]: OPS.touch,
}
const ofUpdates = Object.keys(USE_OF).map(Number)
const isUpdate = ([op]: Step) => op === OPS.change || ofUpdates.includes(op)

/** The protocol: what is queued is flushed before anything that could depend on it, whatever it is. */
function flushed(steps: readonly Step[]): Step[] {
  let queued = false
  return steps.flatMap((one): Step[] => {
    const isUse = one[0] > OPS.flush && !ofUpdates.includes(one[0])
    const before: Step[] = isUse && queued ? [[OPS.flush, 0, 0]] : []
    // A change queues its entry; the handler's own flush leaves nothing.
    queued = isUpdate(one) || (queued && !isUse)
    return [...before, one]
  })
}

/** Work outside of lazy mode, and one or two sections of it. */
function scripts(update: fc.Arbitrary<Step>, use: fc.Arbitrary<Step>): fc.Arbitrary<Step[]> {
  const pair = update.map((one): Step[] => [one, [USE_OF[one[0]], one[1], 0]])
  const single = fc.oneof({ weight: 3, arbitrary: update }, { weight: 2, arbitrary: use }).map((one): Step[] => [one])
  const work = fc.array(fc.oneof(single, pair), { minLength: 1, maxLength: 5 }).map((parts) => parts.flat())
  return fc
    .array(fc.tuple(work, fc.constantFrom(1, 2), work), { minLength: 1, maxLength: 2 })
    .map((parts) => parts.flatMap(([eager, mode, lazy]): Step[] => [...eager, [OPS.enter, mode, 0], ...flushed(lazy), [OPS.leave, mode, 0]]))
}
/** For catalogue/P/P02.c. */
export const anyScript = scripts(update, use)
/** For test/lazy/registers.c: the LDT, CR4, DR7. */
export const anyRegisterScript = scripts(registerUpdate, registerUse)

const isFlush = ([op, , b]: Step) => op === OPS.flush || op === OPS.leave || (op === OPS.interrupt && b === 1)

/** Every script with one flush taken away, or moved behind one or more of the steps that follow it. */
export function withoutFlush(script: readonly Step[]): Step[][] {
  return script.flatMap((one, at) => {
    if (!isFlush(one)) return []
    const [op, a] = one
    if (op === OPS.interrupt) return [script.with(at, [op, a, 0])]
    const rest = script.toSpliced(at, 1)
    // The end of a mode moves at most to the beginning of the next one.
    const next = script.findIndex(([other], k) => k > at && other === OPS.enter)
    const last = (op === OPS.leave && next >= 0 ? next : script.length) - 1
    const late = Array.from({ length: last - at }, (_, k) => rest.toSpliced(at + 1 + k, 0, one))
    return op === OPS.flush ? [rest, ...late] : late
  })
}
