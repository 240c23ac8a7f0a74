// States that differ in what nothing reads any more are one; whatever can still be read stays. A register that is forgotten
// holds a value that would be noticed, so a wrong answer of cpu/liveness.ts shows in the final states.
import { describe, expect, it } from 'vitest'
import { behaviourOf } from '../../properties/fuzz/reference.ts'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { Machine } from '../../src/smp/machine.ts'
import { PageMap } from '../../src/smp/memory.ts'
import { makeModel } from '../../src/smp/model.ts'
import { Sharing } from '../../src/smp/sharing.ts'
import { programAt } from '../programs.ts'

const OUT_BYTES = 64
const program = (p0: string, rest = '', p1 = 'mov ebx, 4\nlock xadd [x], ebx\nlock xadd [x], ebx\nret') =>
  assembleImage(`.vcpu p0\n.vcpu p1\np0:\n${p0}\np1:\n${p1}\n${rest}\nsection .data\nalign 64\nx: dd 0\ny: dd 0\nout: times 14 dd 0\n`, { file: 'forget.asm' })

/** What it can end in, as its machines forget or not. */
function behaviours(image: ReturnType<typeof program>, options: { knobs?: Record<string, string>; looksAtRegisters?: boolean } = {}) {
  const model = makeModel(options.knobs ?? {})
  const out = image.symbols.find((symbol) => symbol.name === 'x')!.address
  return [false, true].map((forgets) => {
    const pages = new PageMap(image.regions)
    const sharing = new Sharing(pages.sizeBytes / 4, 2)
    const looksAtRegisters = options.looksAtRegisters === true
    const make = () => new Machine(image, model, { sharing, pages, forgets, looksAtRegisters })
    const end = (machine: Machine) => {
      const at = machine.memory.index(out)
      const registers = looksAtRegisters ? machine.cpus.map((cpu) => cpu.r.slice(0, 10).join()) : []
      return [machine.memory.u8.subarray(at, at + OUT_BYTES).join(), ...registers].join(' ')
    }
    return behaviourOf(make, end, 20_000)!
  })
}

/** What EAX and the flags are differs by what the other did. */
const XADD = 'mov eax, 10\nlock xadd [x], eax'

describe('what can still be read is kept', () => {
  it.each<[string, string, string?]>([
    ['a register that is stored', `${XADD}\nmov ecx, [y]\nmov [out], eax\nret`],
    ['a part of one', `${XADD}\nmov ecx, [y]\nmov ah, 3\nmov cl, [x]\nmov [out], al\nret`],
    ['one whose part is overwritten', `${XADD}\nmov ecx, [x]\nmov al, 3\nmov [out], eax\nret`],
    ['one of 16 bits that is overwritten', `${XADD}\nmov ecx, [x]\nmov ax, 3\nmov [out], eax\nret`],
    ['an address', `mov eax, 4\nlock xadd [x], eax\nmov ecx, [x]\nmov dword [out + eax], 1\nret`],
    ['an index', `mov eax, 1\nlock xadd [x], eax\nmov ecx, [x]\nmov edx, out\nmov dword [edx + eax * 4], 1\nret`],
    ['CF', 'mov eax, -4\nlock xadd [x], eax\nmov ecx, [x]\nsetb [out]\nret'],
    ['CF past INC', 'mov eax, -4\nlock xadd [x], eax\nmov ecx, [x]\ninc edx\nmov ecx, [x]\nadc dword [out], 0\nret'],
    ['ZF', 'mov eax, -4\nlock xadd [x], eax\nmov ecx, [x]\nsetz [out]\nret'],
    ['flags that a jump looks at', 'mov eax, -4\nlock xadd [x], eax\nmov ecx, [x]\njz .same\nmov dword [out], 1\n.same: ret'],
    ['flags that are pushed', 'mov eax, -4\nlock xadd [x], eax\nmov ecx, [x]\npushfd\npop dword [out]\nret'],
    ['flags past a shift by 0', 'mov ecx, 0\nmov eax, -4\nlock xadd [x], eax\nmov edx, [x]\nshl ebx, cl\nsetz [out]\nret'],
    ['CMOV leaves what was there', `${XADD}\nmov ecx, [x]\ntest ecx, 4\ncmovz eax, ecx\nmov [out], eax\nret`],
    ['what CMPXCHG compares with', `mov ecx, [x]\nmov eax, [x]\nmov edx, [x]\nlock cmpxchg [y], edx\nret`],
    ['what is popped later', `${XADD}\npush eax\nmov eax, [y]\nmov ecx, [x]\npop edx\nmov [out], edx\nret`],
    ['EBP, for LEAVE', `push ebp\nmov ebp, esp\n${XADD}\nsub esp, 8\nmov ecx, [x]\nleave\nmov [out], eax\nret`],
    ['EBP, for MOV', `push ebp\nmov ebp, esp\n${XADD}\nsub esp, 8\nmov ecx, [x]\nmov esp, ebp\npop ebp\nret`],
    ['what the caller reads', `call f\nmov [out], eax\nret\nf: ${XADD}\nmov ecx, [x]\nret`],
    ['what another caller reads, from the same stack', `call f\ncall f\nmov [out], eax\nret\nf: ${XADD}\nmov ecx, [x]\nret`],
    ['what a callee reads', `${XADD}\nmov ecx, [x]\ncall f\nret\nf: mov [out], eax\nret`],
    ['what a callee reads that is called by its address', `mov edx, f\n${XADD}\nmov ecx, [x]\ncall edx\nret\nf: mov [out], eax\nret`],
    ['where a jump by register goes', `mov eax, 1\nlock xadd [x], eax\nand eax, 4\nlea eax, [f + eax]\nmov ecx, [x]\njmp eax\nf: nop\nnop\nnop\nnop\nmov [out], eax\nret`],
    ['what is read where a return address was replaced', `call f\nret\nf: ${XADD}\nmov dword [esp], g\nmov ecx, [x]\nret\ng: mov [out], eax\nret`],
    ['the same, later', `call f\nret\nf: ${XADD}\nmov ecx, [x]\nmov dword [esp], g\nret\ng: mov [out], eax\nret`],
    ['the same, through a pointer', `call f\nret\nf: mov edx, esp\n${XADD}\nmov ecx, [x]\nmov dword [edx], g\nret\ng: mov [out], eax\nret`],
    ['the same, where it is pushed', `${XADD}\nmov ecx, [x]\npush dword g\nret\ng: mov [out], eax\nret`],
    ['the same, where it is what was pushed and popped', `call f\nret\nf: pop edx\n${XADD}\nmov ecx, [x]\npush dword g\npop edi\nsub esp, 4\nret\ng: mov [out], eax\njmp edx`],
    ['the same, by another vCPU', `mov [y], esp\n${XADD}\nmov ecx, [x]\nret\ng: mov [out], eax\nmov dword [out + 4], 7\ndb 0x0f, 0x1f, 0x80, 0, 0, 0x4d, 0x58`,
      'lock inc dword [x]\nmov eax, [y]\ntest eax, eax\njz .no\nmov dword [eax], g\n.no: ret'],
    ['what code reads that is written by then', `${XADD}\nmov ecx, [x]\nmov byte [site], 0xa3\nmov dword [site + 1], out\nmfence\nsite: mov ecx, 0\nret`],
    ['the same, in a turn before', `again: ${XADD}\nmov ecx, [x]\nsite: cmp ecx, 0x12345678\nnop\ncmp dword [y], 0\njnz theend\nmov dword [y], 1\nmov word [site], 0x0589\nmov dword [site + 2], out\nmfence\njmp again\ntheend: ret`],
    ['what a handler of exceptions reads', `${XADD}\nmov ecx, [x]\ndb 0x0f, 0x1f, 3\nret`, '.handler 6, handler\nhandler: mov [out], eax\nadd dword [esp], 3\niret'],
    ['what a handler of interrupts reads', `sti\n${XADD}\nmov ecx, [x]\nmov ecx, [x]\nret`, '.irq 0, 0x40, handler, 1\nhandler: mov [out], eax\niret'],
    ['what a trap pushes', `pushfd\nor dword [esp], 0x100\npopfd\n${XADD}\nmov ecx, [x]\nret`, '.handler 1, handler\nhandler: push eax\nmov eax, [esp + 12]\nand eax, 0x41\nadd [out], eax\npop eax\niret'],
    ['arguments of calls to the checker', `${XADD}\nmov ecx, [x]\ncmp eax, 0\nsetz al\nmovzx eax, al\nmov edx, [x]\nassert eax\nret`],
  ])('%s', (_, p0, more) => {
    const isVcpu = more !== undefined && !more.startsWith('.')
    const image = program(p0, isVcpu ? '' : more, isVcpu ? more : undefined)
    // A multi-byte NOP is #UD on a 486.
    const [exact, forgetful] = behaviours(image, { knobs: { fetch: 'coherent', cpu: p0.includes('db 0x0f, 0x1f, 3\n') ? '486' : 'p4' } })
    expect([...forgetful.ends].sort()).toEqual([...exact.ends].sort())
    expect([forgetful.violations, forgetful.stuck]).toEqual([exact.violations, exact.stuck])
    expect(exact.ends.size + exact.violations.size).toBeGreaterThan(1)
  })

  it('registers of vCPUs that have ended, where they are looked at', () => {
    const [exact, forgetful] = behaviours(program(`${XADD}\nmov ecx, [x]\nmov ecx, 1\nret`), { looksAtRegisters: true })
    expect(forgetful.ends.size).toBe(exact.ends.size)
    expect(forgetful.ends.size).toBeGreaterThan(2)
  })
})

describe('what nothing reads is forgotten', () => {
  it.each<[string, string]>([
    ['a register that is overwritten', `${XADD}\nmov ecx, [y]\nmov eax, [y]\nret`],
    ['a register at the end', `${XADD}\nret`],
    ['past calls and returns', `call f\nxor eax, eax\nret\nf: push ebx\nmov ebx, 3\n${XADD}\nmov ecx, [y]\nlock inc dword [y]\npop ebx\nret`],
    ['past a store through a pointer', `call f\nxor eax, eax\nret\nf: mov edx, y\n${XADD}\nmov ecx, [y]\nmov [edx], edx\nret`],
    ['past frames', `push ebp\nmov ebp, esp\nsub esp, 8\ncall f\nxor eax, eax\nleave\nret\nf: push ebp\nmov ebp, esp\n${XADD}\nmov ecx, [y]\nmov [ebp - 4], ecx\npop ebp\nret`],
    ['with 16 bits', `mov eax, 1\nlock xadd [x], ax\nmov ecx, [y]\nmov eax, 1\nret`],
  ])('%s', (_, p0) => {
    const [exact, forgetful] = behaviours(program(p0, '', 'mov ebx, [y]\nmov ebx, 4\nlock xadd [x], ebx\nlock xadd [x], ebx\nmov dword [y], 0\nret'))
    expect(forgetful.ends).toEqual(exact.ends)
    expect(forgetful.states).toBeLessThan(exact.states)
  })

  it('so that counters that commute have as many states as subsets have counted', () => {
    const count = (vcpus: number) =>
      assembleImage(`${Array.from({ length: vcpus }, () => '.vcpu p').join('\n')}\np: ${XADD}\nret\nsection .data\nx: dd 0\n`, { file: 'count.asm' })
    for (const vcpus of [2, 3, 5]) expect(checkImage(count(vcpus), makeModel(), { engine: 'graph' })).toMatchObject({ verdict: 'holds', strength: 'complete', states: 2 ** vcpus })
  })
})

describe('reference programs', () => {
  // 256 and some 47 000 elsewhere.
  it.each([['lockinc-n8-m1', 256], ['ticket-n6-m1', 31_456]])('%s has %i states', (name, states) => {
    expect(checkImage(programAt(`examples/explore/${name}.o`), makeModel(), { engine: 'graph' })).toMatchObject({ verdict: 'holds', strength: 'complete', states })
  })
})

describe('a cycle of states that are told apart no longer', () => {
  // EAX holds what the other vCPU left there, and is dead in the loop that follows.
  const image = program(`${XADD}\n.again: mov ecx, [y]\nmov eax, [x]\ntest ecx, ecx\njz .again\nret`)
  it('is one that can be carried out', () => {
    const result = checkImage(image, makeModel(), { engine: 'graph' })
    expect(result).toMatchObject({ verdict: 'violated', violation: { kind: 'deadlock' } })
    expect(result.cycleFrom).toBeGreaterThan(0)
  })
  it('also where it was told by the states', () => {
    const turning = program(`${XADD}\n.again: lock xor dword [y], 1\nmov eax, [y]\njmp .again`, '', 'mov ebx, 4\nlock xadd [x], ebx\nmov ebx, [y]\nret')
    const result = checkImage(turning, makeModel(), { engine: 'graph', liveness: 'termination' })
    expect(result).toMatchObject({ verdict: 'violated', violation: { kind: 'livelock' } })
    expect(result.cycleFrom).toBeGreaterThan(0)
  })
})

describe('what is relied on', () => {
  const [mine, others] = [1, 2]
  it('makes the search start again when it comes otherwise, and is not relied on then', () => {
    const sharing = new Sharing(4, 2)
    expect([sharing.relyOnCode(0), sharing.relyOnSlot(1, mine), sharing.relyOnSlot(2, mine)]).toEqual([true, true, true])
    for (const [write, still] of [
      [() => sharing.noteWrite(0, 0, mine), () => sharing.relyOnCode(0)], [() => sharing.noteFramed(1, 1), () => sharing.relyOnSlot(1, mine)],
      [() => sharing.noteWrite(2, 2, others), () => sharing.relyOnSlot(2, mine)],
    ] as const) {
      sharing.grown = false
      write()
      expect([sharing.grown, still()]).toEqual([true, false])
      // It is known now.
      sharing.grown = false
      write()
      expect(sharing.grown).toBe(false)
    }
  })

  it('is held against what others have seen, whoever tells first', () => {
    for (const relied of [(one: Sharing) => one.relyOnCode(3), (one: Sharing) => one.relyOnSlot(3, mine)])
      for (const seen of [(one: Sharing) => one.noteWrite(3, 3, others), (one: Sharing) => one.noteFramed(3, 3)])
        for (const first of [0, 1]) {
          const [a, b] = [new Sharing(4, 2), new Sharing(4, 2)]
          relied(a)
          seen(b)
          const contradicts = relied.toString().includes('Slot') || seen.toString().includes('Write')
          expect(first === 0 ? a.learn(b.learnt()) : b.learn(a.learnt())).toBe(contradicts)
          expect((first === 0 ? a : b).learn((first === 0 ? b : a).learnt())).toBe(false)
        }
  })
})
