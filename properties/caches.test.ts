// Memory types against a simple oracle: one page whose entry two vCPUs change, and use through any translation that the entry ever was since
// their last invalidation. An uncached access is wrong while some cache may hold the line.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { assembleImage, checkImage, makeModel } from '../src/index.ts'

const RUNS = Number(process.env.XMCHECK_RUNS ?? 20)

/** What the entry says: cacheable, uncached, not present. */
type Entry = 'cached' | 'uncached' | 'none'
const ENTRIES: Readonly<Record<Entry, string>> = { cached: 'page + 0x63', uncached: 'page + 0x73', none: '0' }
type Step = Entry | 'invlpg' | 'wbinvd' | 'clflush' | 'load' | 'store'
const TEXT: Readonly<Record<Exclude<Step, Entry>, string>> = {
  invlpg: 'invlpg [0x400000]', wbinvd: 'wbinvd', clflush: 'clflush [0x400000]', load: 'mov eax, [0x400000]', store: 'mov dword [0x400000], 1',
}
const isEntry = (step: Step): step is Entry => step in ENTRIES
/** Alone a vCPU shows what flushes are worth; another, which nobody waits for, may hold what it likes. */
const part = fc.constantFrom<Step[]>(['uncached', 'invlpg'], ['uncached', 'invlpg', 'wbinvd'], ['uncached', 'wbinvd', 'invlpg'], ['uncached', 'invlpg', 'clflush'], ['uncached', 'invlpg', 'clflush'], ['none', 'invlpg'], ['cached'], ['uncached'], ['wbinvd'], ['load'], ['store'])
const steps = (most: number) => fc.array(part, { minLength: 1, maxLength: most }).map((parts) => parts.flat())
const changer = steps(3).map((all): Step[] => [...all, 'store'])
const programs = fc.record({
  start: fc.constantFrom<Entry>('cached', 'uncached', 'none'),
  vcpus: fc.oneof(changer.map((one) => [one]), changer.map((one) => [one]), fc.tuple(changer, steps(2)).map(([one, other]) => [one, other])),
})
type Program = typeof programs extends fc.Arbitrary<infer T> ? T : never

const ON = 'mov eax, dir\nmov cr3, eax\nmov eax, cr0\nor eax, 0x80010000\nmov cr0, eax'
const source = ({ start, vcpus }: Program) => `.init setup
.handler 14, fault
${vcpus.map((steps, v) => `.vcpu p${v}\np${v}: mov ebp, end${v}\n${ON}\n${steps.map((one) => (isEntry(one) ? `mov dword [table], ${ENTRIES[one]}` : TEXT[one])).join('\n')}\nend${v}: ret`).join('\n')}
setup: mov eax, page\nshr eax, 12\nmov dword [low + eax * 4], 0\nret
fault: add esp, 4\nmov [esp], ebp\niret
section .tables\nalign 4096
dir: dd low + 0x63, table + 0x63\ntimes 1022 dd 0
low:\n${Array.from({ length: 1024 }, (_, k) => `dd ${k * 4096 + 0x63}`).join('\n')}
table: dd ${ENTRIES[start]}\ntimes 1023 dd 0
page: times 1024 dd 0\n`

interface Vcpu {
  readonly pc: number
  readonly paging: boolean
  /** What its translation of the page may be besides what the entry is. */
  readonly stale: readonly Entry[]
  /** It could have fetched the line, cannot any more, and has not flushed since; or it accessed it. */
  readonly holds: boolean
}

/** By all interleavings, sequentially consistent. */
function isAliased({ start, vcpus }: Program): boolean {
  const seen = new Set<string>()
  const from = (entry: Entry, all: readonly Vcpu[]): boolean => {
    const key = JSON.stringify([entry, all])
    if (seen.has(key)) return false
    seen.add(key)
    const mayFetch = ({ paging, stale }: Vcpu) => paging && (entry === 'cached' || stale.includes('cached'))
    const losing = (one: Vcpu): Vcpu => ({ ...one, holds: one.holds || mayFetch(one) })
    return all.some((self, v) => {
      const next = (one: Partial<Vcpu>) => from(entry, all.with(v, { ...self, pc: self.pc + 1, ...one }))
      if (!self.paging) return next({ pc: 0, paging: true })
      if (self.pc === vcpus[v].length) return false
      const what = vcpus[v][self.pc]
      if (isEntry(what)) {
        const told = all.map((one) => (what === entry || !one.paging ? one : { ...losing(one), stale: [...new Set([...one.stale, entry])].filter((old) => old !== what && old !== 'none').sort() }))
        return from(what, told.with(v, { ...told[v], pc: self.pc + 1 }))
      }
      if (what === 'invlpg') return next({ ...losing(self), stale: [], pc: self.pc + 1 })
      if (what === 'wbinvd') return next({ holds: false })
      return [entry, ...self.stale].some((found) => {
        // The handler of the fault ends the vCPU; a fault drops what is cached.
        if (found === 'none') return next({ ...losing(self), stale: [], pc: vcpus[v].length })
        if (what === 'clflush') return from(entry, all.map((one, u) => ({ ...one, holds: false, pc: one.pc + Number(u === v) })))
        if (found === 'cached') return next({ holds: true })
        return all.some((one) => one.holds || mayFetch(one)) || next({})
      })
    })
  }
  return from(start, vcpus.map(() => ({ pc: 0, paging: false, stale: [], holds: false })))
}

it.each(['graph', 'dpor'] as const)('an uncached access is wrong where some order of events leaves the line to a cache (%s)', (engine) => {
  fc.assert(
    fc.property(programs, (program) => {
      const model = makeModel({ memory: 'sc', fetch: 'coherent', tlbSplit: 'each' })
      const { violation } = checkImage(assembleImage(source(program), { title: 'caches' }), model, { engine })
      expect(violation?.kind).toBe(isAliased(program) ? 'cache-alias' : undefined)
    }),
    { seed: 3, numRuns: RUNS },
  )
})
