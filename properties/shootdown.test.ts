// Generated shootdowns: edits of page tables, told to one other vCPU (two in larger runs). Once a shootdown is over nobody reads through what
// was there before; a piece taken away (an IPI, a flush, an answer, a barrier, the wait) is caught.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkImage } from '../src/explore/check.ts'
import { assembleImage } from '../src/guest/asm/index.ts'
import { makeModel } from '../src/smp/model.ts'

const RUNS = Number(process.env.XMCHECK_RUNS ?? 1)
const PAGE = 0x400000
/** What a read that faults gives. */
const FAULT = 0

/** The page at 4 MB: the directory names one of two tables (-1: none), whose first entries name a frame that holds its number (0: none). */
interface Tables {
  readonly directory: number
  readonly frames: readonly [number, number]
}
const START: Tables = { directory: 0, frames: [1, 2] }
const valueOf = ({ directory, frames }: Tables) => (directory < 0 ? FAULT : frames[directory])

type Edit = { readonly kind: 'entry'; readonly frame: number } | { readonly kind: 'directory'; readonly to: number }
interface Shootdown {
  readonly edits: readonly Edit[]
  /** vCPUs besides the shooter. */
  readonly users: number
  /** The shooter runs on the tables too; otherwise with paging off. */
  readonly shares: boolean
  /** The entry is changed by a LOCKed instruction. */
  readonly locked: boolean
  readonly flush: 'invlpg' | 'cr3'
}

function edited(tables: Tables, edit: Edit): Tables {
  if (edit.kind === 'directory') return { ...tables, directory: edit.to }
  const frames = tables.frames.map((frame, t) => (t === Math.max(0, tables.directory) ? edit.frame : frame)) as [number, number]
  return { ...tables, frames }
}
/** The tables before the first edit, and after each. */
const statesOf = (edits: readonly Edit[]) => edits.reduce<Tables[]>((states, edit) => [...states, edited(states.at(-1)!, edit)], [START])

/** The oracle: what may be read after `gone` shootdowns: what the tables say then or later, as bits. */
const promised = (edits: readonly Edit[], gone: number) => statesOf(edits).slice(gone).reduce((bits, tables) => bits | (1 << valueOf(tables)), 0)

const FLUSH = { invlpg: `invlpg [${PAGE}]`, cr3: 'mov eax, cr3\n    mov cr3, eax' }
const entryBits = (frame: number) => (frame === 0 ? '0' : `frame${frame} + 0x67`)
const directoryBits = (table: number) => (table < 0 ? '0' : `table${table} + 0x67`)

/** The program, without the piece of this name; `pieces`: the names of all that it has. */
function program({ edits, users, shares, locked, flush }: Shootdown, without: string | null): { source: string; pieces: Set<string> } {
  const pieces = new Set<string>()
  const piece = (name: string, text: string) => {
    pieces.add(name)
    return name === without ? '' : `    ${text}\n`
  }
  const others = Array.from({ length: users }, (_, u) => u + 1)
  let reads = 0
  const on = '    mov eax, dir\n    mov cr3, eax\n    mov eax, 0x10\n    mov cr4, eax\n    mov eax, cr0\n    or eax, 0x80010000\n    mov cr0, eax\n'
  const read = () => {
    const after = `after${reads++}`
    return `    mov ebx, [gone]\n    mov ebp, ${after}\n    mov eax, [${PAGE}]\n${after}: bt dword [allowed + ebx * 4], eax\n    setc al\n    movzx eax, al\n    assert "reads what was not gone"\n`
  }
  const shoot = edits.map((edit, k) => {
    const states = statesOf(edits)
    const table = Math.max(0, states[k].directory)
    const [place, bits] = edit.kind === 'directory' ? ['dir + 4', directoryBits(edit.to)] : [`table${table}`, entryBits(edit.frame)]
    const change = locked ? `    mov eax, ${bits}\n    xchg eax, [${place}]\n` : `    mov dword [${place}], ${bits}\n`
    // The flush here empties the store buffer; where there is none, and the change is no LOCKed one, something else has to.
    const here = shares ? piece('flush here', FLUSH[flush]) : locked ? '' : piece('barrier', 'mfence')
    const ask = others.map((u) => `    test ecx, ${1 << u}\n    jz no${u}_${k}\n${piece(`IPI to vCPU ${u}`, `ipi ${u}, ${0xf0 + u}`)}no${u}_${k}:\n`).join('')
    const wait = piece('wait', `cmp dword [waiting], 0\n    jne wait${k}`)
    const own = shares ? `    mov dword [gone], ${k + 1}\n${read()}` : `    mov dword [gone], ${k + 1}\n`
    return `${change}${here}    mov ecx, [mask]\n    mov [waiting], ecx\n${ask}wait${k}:\n${wait}${own}`
  })
  const user = (u: number) => `user${u}:\n    lock or dword [mask], ${1 << u}\n${on}    sti\n    nop\n${read()}stay${u}: cmp dword [over], 0\n    je stay${u}\n    ret\n`
  const handler = (u: number) =>
    `answer${u}: push eax\n${piece('flush there', FLUSH[flush])}${piece('answer', `lock and dword [waiting], ${~(1 << u) >>> 0}`)}    pop eax\n    iret\n`
  const source = `.vcpu shooter
${others.map((u) => `.vcpu user${u}\n.handler ${0xf0 + u}, answer${u}`).join('\n')}
.handler 14, fault
shooter:
${shares ? on : ''}${shoot.join('')}    mov dword [over], 1
    ret
${others.map(user).join('')}${others.map(handler).join('')}
fault: add esp, 4
    mov [esp], ebp
    mov eax, ${FAULT}
    iret
section .data
align 64
mask: dd 0
waiting: dd 0
gone: dd 0
over: dd 0
allowed: dd ${Array.from({ length: edits.length + 1 }, (_, gone) => promised(edits, gone)).join(', ')}
section .tables
align 4096
dir: dd 0xe3, ${directoryBits(START.directory)}
    times 1022 dd 0
${START.frames.map((frame, t) => `table${t}: dd ${entryBits(frame)}\n    times 1023 dd 0\n`).join('')}${[1, 2, 3].map((frame) => `frame${frame}: dd ${frame}\n    times 1023 dd 0`).join('\n')}
`
  return { source, pieces }
}

function verdict(shootdown: Shootdown, without: string | null): string {
  const image = assembleImage(program(shootdown, without).source, { title: without ?? 'whole' })
  // What is fetched is not at stake. Store buffers are, for the barrier: with one other vCPU.
  const model = makeModel({ fetch: 'coherent', tlbSplit: 'unified', memory: shootdown.users > 1 ? 'sc' : 'tso' })
  const result = checkImage(image, model, { engine: 'graph' })
  return result.verdict === 'holds' ? `holds/${result.strength}` : result.verdict
}

const anyEdit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ kind: fc.constant('entry' as const), frame: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ kind: fc.constant('directory' as const), to: fc.integer({ min: -1, max: 1 }) }),
)
/** Each edit takes something away that could be cached, and that does not come back. */
const tells = ({ edits }: Shootdown) =>
  edits.every((_, k) => valueOf(statesOf(edits)[k]) !== FAULT && (promised(edits, k + 1) & (1 << valueOf(statesOf(edits)[k]))) === 0)
const anyShootdown: fc.Arbitrary<Shootdown> = fc
  .record({
    // With two there are a quarter of a million states.
    users: fc.constantFrom(1, ...(RUNS > 3 ? [1, 1, 2] : [])),
    edits: fc.array(anyEdit, { minLength: 1, maxLength: 2 }),
    shares: fc.boolean(),
    locked: fc.boolean(),
    flush: fc.constantFrom('invlpg' as const, 'cr3' as const),
  })
  // Few vCPUs with several edits, or several with one.
  .map((one) => (one.users > 1 ? { ...one, edits: one.edits.slice(0, 1), locked: true } : one))
  .filter(tells)

describe('a shootdown', () => {
  it('leaves nobody with what was gone; without any one of its pieces it does', () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(anyShootdown, (shootdown) => {
        expect(verdict(shootdown, null)).toBe('holds/complete')
        for (const name of program(shootdown, null).pieces) {
          seen.add(name)
          expect([name, verdict(shootdown, name)]).toEqual([name, 'violated'])
        }
      }),
      { seed: 11, numRuns: RUNS },
    )
    for (const name of ['IPI to vCPU 1', 'wait', 'flush there', 'answer']) expect(seen).toContain(name)
  }, 60_000 * RUNS)
})
