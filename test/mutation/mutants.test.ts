// Mutants are made from machine code, piece by piece; the property of a sound protocol notices the pieces that it needs, and of what it
// does not notice facts about all executions say why.
import { describe, expect, it } from 'vitest'
import { EIP } from '../../src/cpu/registers.ts'
import { checkImage, startCheck } from '../../src/explore/check.ts'
import { finish } from '../../src/explore/explorable.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { instructionsOf } from '../../src/mutation/code.ts'
import { Campaign, type Judged } from '../../src/mutation/judge.ts'
import { programKey } from '../../src/mutation/key.ts'
import { imageOf, mutantsOf, originOf } from '../../src/mutation/mutants.ts'
import { endsOf, observe } from '../../src/mutation/observe.ts'
import { fits, givenReasons } from '../../src/mutation/survivors.ts'
import type { MachineImage } from '../../src/smp/image.ts'
import { makeModel } from '../../src/smp/model.ts'
import { programAt } from '../programs.ts'

const DATA = '\nsection .data\nx: dd 0\ny: dd 0\nz: dd 0'
/** Each vCPU runs one of these. */
const program = (...vcpus: readonly string[]): MachineImage =>
  assembleImage(`${vcpus.map((_, k) => `.vcpu v${k}`).join('\n')}\n${vcpus.map((body, k) => `v${k}: ${body}\nret`).join('\n')}${DATA}`, { title: 'pieces' })
const mutants = (image: MachineImage) => mutantsOf(image, observe(image, makeModel()))
const kinds = (body: string) => mutants(program(body)).map((one) => one.kind)

/** Fate and reason of each mutant. */
async function judged(image: MachineImage, knobs: Record<string, string> = {}): Promise<Judged[]> {
  const model = makeModel(knobs)
  const campaign = new Campaign(image, model, {}, checkImage(image, model))
  return Promise.all(campaign.mutants.map((mutant) => campaign.judge(mutant, async (check) => (finish({ ...check, verdict: () => check.result() }), check.result()))))
}
const told = async (image: MachineImage, knobs?: Record<string, string>) => (await judged(image, knobs)).map(({ mutant, fate, why }) => `${mutant.kind}: ${fate}: ${why}`)

describe('mutants', () => {
  it('are one for each piece', () => {
    expect(kinds('mov [x], eax')).toEqual(['store removed'])
    expect(kinds('inc dword [x]\nxadd [x], eax\npop dword [x]\npush eax')).toEqual(['store removed', 'store removed', 'store removed'])
    expect(kinds('lock inc dword [x]')).toEqual(['LOCK removed'])
    expect(kinds('xchg [x], eax')).toEqual(['XCHG: only its store', 'XCHG: only its load'])
    expect(kinds('lock add dword [esp], 0')).toEqual(['fence removed'])
    expect(kinds('mfence\nlfence\nsfence')).toEqual(['MFENCE removed', 'LFENCE removed', 'SFENCE removed'])
    expect(kinds('cpuid\ninvlpg [x]\nwbinvd')).toEqual(['CPUID removed', 'INVLPG removed', 'WBINVD removed'])
    expect(kinds('mov eax, cr3\nmov cr3, eax\nmov eax, cr4\nmov cr4, eax')).toEqual(['MOV to CR3 removed', 'MOV to CR4 removed'])
    expect(kinds('cli\nsti\ncli')).toEqual(['CLI removed', 'STI removed', 'CLI removed'])
    expect(kinds('xor eax, eax\nipi 0, 0x40\nkick 0')).toEqual(['IPI removed', 'kick removed'])
    expect(kinds('call f\nret\nf: nop')).toEqual(['call removed'])
    expect(kinds('jz near go\njnz short go\ngo: nop')).toEqual(['branch never taken', 'branch always taken', 'branch never taken', 'branch always taken'])
    expect(kinds('pushfd\npush cs\npush dword sync\niretd\nsync: nop')).toEqual(['core synchronisation removed'])
    // Loads, the stack and registers are no pieces.
    expect(kinds('mov eax, [x]\ncmp dword [x], 1\npush eax\nmov [esp], eax\nadd eax, ecx\npop eax')).toEqual([])
  })

  it('are made of what instructions do, not of what the delivery of an interrupt does between them', () => {
    // The stack is no vCPU's own: it is memory as any other.
    const image = assembleImage(`.vcpu v\n.irq 0, 0x40, handler\nv: mov eax, esp\n mov esp, top\n sti\n nop\n inc ecx\n cli\n mov esp, eax\n ret\nhandler: iret\nsection .data\n align 4\n times 8 dd 0\ntop: dd 0`, { title: 'stack' })
    expect(mutants(image).map((one) => one.kind)).toEqual(['STI removed', 'CLI removed'])
  })

  it('put a store behind the next one where nothing else changes by that', () => {
    const swaps = (body: string) => kinds(body).filter((kind) => kind === 'stores swapped').length
    expect(swaps('mov [x], eax\nmov [y], ecx')).toBe(1)
    expect(swaps('mov [x], eax\nmov ecx, 5\nadd ecx, edx\nmov [y], ecx')).toBe(1)
    expect(swaps('mov [x], eax\nmov [x], ecx'), 'the same place').toBe(0)
    expect(swaps('mov [x], eax\nmov eax, 5\nmov [y], eax'), 'what is stored changes').toBe(0)
    expect(swaps('mov [x], eax\nmov ecx, [z]\nmov [y], ecx'), 'a load between').toBe(0)
    expect(swaps('jz near on\nmov [x], eax\non: mov [y], ecx'), 'somebody jumps between').toBe(0)
    const image = program('mov dword [x], 1\nmov ecx, 2\nmov [y], ecx\nmov eax, [x]\nadd eax, [y]\nmov [z], eax')
    const swap = mutants(image).find((one) => one.kind === 'stores swapped')!
    expect(instructionsAt(imageOf(image, swap), swap.original.address, 3)).toEqual(['mov', 'mov', 'mov'])
    expect(endsOf(imageOf(image, swap), makeModel(), swap.original, 1000)).toEqual(observe(image, makeModel()).ends)
  })

  it('change only what they say', () => {
    const image = program('lock inc dword [x]\nmov [y], eax')
    const [unlocked, removed] = mutants(image).map((one) => imageOf(image, one))
    const bytes = (one: MachineImage) => [...one.regions.find((region) => region.name === '.text')!.bytes]
    const before = bytes(image)
    const differences = (one: MachineImage) => bytes(one).flatMap((byte, k) => (byte === before[k] ? [] : [byte]))
    expect(differences(unlocked)).toEqual([0x3e])
    expect(new Set(differences(removed))).toEqual(new Set([0x90]))
  })

  it('are made neither of what is never reached, nor of what prepares the program or judges it', () => {
    expect(kinds('jmp out\nmov [x], eax\nout: nop')).toEqual([])
    const image = programAt('examples/locks/objects/check-TICKET.o')
    const functions = new Set(mutants(image).map((one) => originOf(image, one.place.address).function))
    expect(functions).toEqual(new Set(['cpu']))
    expect(instructionsOf(image).some((one) => originOf(image, one.address).function === 'all_counted')).toBe(true)
    const one = program('mov [x], eax')
    const at = (line: number): MachineImage => ({ ...one, lines: [{ address: one.vcpus[0].registers[EIP], file: 'a/b.c', line: 7 }], points: [{ id: 1, kind: 'assert', text: 'x', file: 'c/b.c', line }] })
    expect(mutants(at(8)).map((found) => found.kind)).toEqual(['store removed'])
    expect(mutants(at(7)), 'the line of an assertion').toEqual([])
  })

  it('are not made of code that is rewritten', () => {
    expect(kinds('mov byte [site], 0x90\nsite: inc dword [x]')).toEqual(['store removed'])
  })
})

function instructionsAt(image: MachineImage, from: number, count: number): string[] {
  const symbols = [{ name: 'here', address: from, sizeBytes: 64, kind: 'function' as const }]
  return instructionsOf({ ...image, symbols }).slice(0, count).map((one) => one.op.row!.mnemonic)
}

describe('fates', () => {
  it('of the fenced store-buffering test', async () => {
    const fates = await told(programAt('examples/sb-fence.o'))
    expect(fates).toContain('MFENCE removed: noticed: assertion')
    expect(fates.filter((one) => /^MFENCE/.test(one) && !one.includes('noticed'))).toEqual([])
  })
  it('a jump that every execution goes, or none, is not taken away', async () => {
    expect(await told(program('xor eax, eax\njz near on\nmov [x], eax\non: nop'))).toEqual([
      'branch never taken: survived: no execution goes wrong, and all leave memory as they did (1 end)',
      'branch always taken: equal: every execution takes it',
    ])
  })
})

describe('reasons', () => {
  const SHARES = 'mov eax, [x]\nmov eax, [y]'
  const reasons = async (kind: string, knobs: Record<string, string>, ...vcpus: string[]) => (await told(program(...vcpus), knobs)).filter((one) => one.startsWith(kind))
  it('of a fence: nothing waits, something else drains, or there is nobody', async () => {
    expect(await reasons('MFENCE', {}, 'mfence\nmov eax, [y]', 'mov dword [y], 1\nmov eax, [x]')).toEqual(['MFENCE removed: survived: no store waits in the buffer whenever it is executed'])
    expect(await reasons('MFENCE', {}, 'mov dword [x], 1\nmfence\nxchg [y], eax', SHARES)).toEqual([expect.stringContaining('survived: what waits in the buffer reaches memory before')])
    expect(await reasons('MFENCE', {}, 'mov dword [x], 1\nmfence\nmov eax, [y]')).toEqual(['MFENCE removed: survived: there is no other vCPU'])
    expect(await reasons('LFENCE', {}, 'mov dword [x], 1\nlfence\nmov eax, [y]', SHARES)).toEqual(['LFENCE removed: survived: under TSO it orders nothing'])
  })
  it('none where the fence does order what others can see', async () => {
    // Both ends differ in what is read, which the stores leave in memory.
    const one = (mine: string, other: string, seen: string) => `mov dword [${mine}], 1\nmfence\nmov eax, [${other}]\nmov [${seen}], eax`
    const image = assembleImage(`.vcpu a\n.vcpu b\na: ${one('x', 'y', 'p')}\nret\nb: ${one('y', 'x', 'q')}\nret${DATA}\np: dd 0\nq: dd 0`, { title: 'sb' })
    expect((await told(image)).filter((text) => text.startsWith('MFENCE'))).toEqual(['MFENCE removed: survived: ', 'MFENCE removed: survived: '])
  })
  it('of LOCK: nobody else writes there, and it drains before it matters', async () => {
    expect(await reasons('LOCK', {}, 'lock inc dword [x]\nmov eax, [y]', 'mov dword [y], 1')).toEqual([expect.stringContaining('no other vCPU touches what it changes')])
    expect(await reasons('LOCK', {}, 'lock inc dword [x]\nxchg [y], eax', SHARES)).toEqual([expect.stringContaining('no other vCPU writes what it changes')])
    expect(await reasons('LOCK', {}, 'lock inc dword [x]', 'lock inc dword [x]')).toEqual(['LOCK removed: survived: ', 'LOCK removed: survived: '])
  })
  it('of stores: nobody reads it, or nobody looks at one of two', async () => {
    expect((await reasons('store', {}, 'mov [x], eax', 'mov eax, [y]'))[0]).toContain('nobody reads what it writes')
    expect((await reasons('store removed', {}, 'mov dword [x], 1', 'mov eax, [x]\nmov [y], eax'))[0]).toBe('store removed: survived: ')
    expect((await reasons('stores swapped', {}, 'mov dword [x], 1\nmov dword [y], 1', 'mov eax, [x]'))[0]).toContain('no other vCPU touches what one of them writes')
  })
})

describe('reasons that people give', () => {
  it('stand in the source, by kind and line', () => {
    const given = givenReasons({ 'a/b.c': '/*\n * survivor store removed, f, `x = 1; /* set */`: only f reads it\n survivor LOCK removed, `inc`: any */\nsurvivor nothing' })
    expect(given).toEqual([
      { file: 'b.c', kind: 'store removed', function: 'f', text: 'x = 1; /* set */', reason: 'only f reads it' },
      { file: 'b.c', kind: 'LOCK removed', function: '', text: 'inc', reason: 'any' },
    ])
    const origin = { function: 'f', offset: 3, file: 'c.c', line: 1, text: 'x = 1; /* set */' }
    expect(fits(given[0], 'store removed', origin)).toBe(true)
    expect(fits(given[0], 'store removed', { ...origin, function: 'g' })).toBe(false)
    expect(fits(given[0], 'LOCK removed', origin)).toBe(false)
    expect(fits(given[1], 'LOCK removed', { ...origin, text: 'inc' })).toBe(true)
    expect(fits({ ...given[1], text: 'in...' }, 'LOCK removed', { ...origin, text: 'inc' })).toBe(true)
    expect(fits({ ...given[1], text: 'on...' }, 'LOCK removed', { ...origin, text: 'inc' })).toBe(false)
  })
})

it('the key of a program is that of what it does', () => {
  const image = programAt('examples/locks/objects/check-TICKET.o')
  const key = programKey(image, makeModel())
  const changed = (offset: number): MachineImage => ({
    ...image,
    points: image.points.map((point) => ({ ...point, line: point.line + 1 })),
    regions: image.regions.map((region) => ({ ...region, bytes: region.bytes.map((byte, k) => (region.start + k === image.points[0].id + offset ? byte ^ 1 : byte)) })),
  })
  const [LINE, OBJECT] = [16, 20]
  expect(programKey(changed(LINE), makeModel())).toBe(key)
  expect(programKey(changed(OBJECT), makeModel())).not.toBe(key)
  expect(programKey(image, makeModel({ memory: 'sc' }))).not.toBe(key)
  for (const mutant of mutants(image)) expect(programKey(imageOf(image, mutant), makeModel())).not.toBe(key)
})

describe('mutants that run on by themselves', () => {
  // Without the store that ends it the loop counts for ever, and nobody else can see it.
  const image = program('mov dword [x], 1\nmov eax, [x]\nagain: inc ecx\ncmp eax, 1\njne again', 'mov eax, [x]')
  const runaway = imageOf(image, mutants(image)[0])

  it.each(['graph', 'dpor'] as const)('%s pauses by what was done, not only by how many events that were', (engine) => {
    const check = startCheck(runaway, makeModel(), { engine, liveness: 'off' })
    expect(check.advance()).toBe(true)
    const { events, work } = check.progress()
    expect(events).toBeLessThan(500)
    expect(work).toBeGreaterThan(60_000)
    check.stop()
    expect(check.result().verdict).toBe('unknown')
  })

  it('are undecided', async () => {
    const model = makeModel()
    const campaign = new Campaign(image, model, {}, checkImage(image, model))
    const judged = await campaign.judge(campaign.mutants[0], async (check, workMax) => {
      while (check.advance()) if (check.progress().work! > workMax) check.stop()
      return check.result()
    })
    expect(judged).toMatchObject({ fate: 'undecided', why: expect.stringMatching(/^\d{3} events, between which vCPUs run on and on by themselves$/) })
  })
})
