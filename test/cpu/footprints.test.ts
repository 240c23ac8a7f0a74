// What no real part completes in ring 3: exactly which registers and bytes one instruction changes in ring 0. Expected from the
// manual (SDM vol. 2); whatever is not named stays.
import { expect, it } from 'vitest'
import * as reg from '../../src/cpu/registers.ts'
import { CODE0, CODE3, DATA3, FREE, GDT, IDT, LDT_SELECTOR, TASK, World } from './protectedMode.ts'

const EAX = 0x11223344
const ECX = 0x00000003
const EDX = 0x00000042
const EBX = 0x55667788
const EDI = 0x4100
const ESI = 0x4200
const FLAGS = 0x2 | reg.CF | reg.ZF | reg.OF

interface Expected {
  /** Registers, by their index. */
  readonly r?: Readonly<Record<number, number>>
  /** Dwords of memory. */
  readonly memory?: Readonly<Record<number, number>>
  readonly out?: readonly (readonly [port: number, sizeBytes: number, value: number])[]
}
type Prepare = (world: World) => void

const word = (index: number, value: number): Readonly<Record<number, number>> => ({ [index]: value })
const flags = (set: number, clear = 0): Expected => ({ r: word(reg.EFLAGS, (FLAGS | set) & ~clear) })
const nothing: Expected = {}
const at = (address: number, value: number): Prepare => (world) => world.write32(address, value)
const sysenter: Prepare = ({ r }) => {
  r[reg.MSR_SYSENTER_CS] = CODE0
  r[reg.MSR_SYSENTER_ESP] = 0x6500
  r[reg.MSR_SYSENTER_EIP] = 0x12000
}
const flat = (rights: number) => 0xc000 | rights

const CASES: readonly (readonly [text: string, expected: Expected, prepare?: Prepare])[] = [
  ['insb', { r: word(reg.EDI, EDI + 1), memory: { 0x4100: 0xa4 } }],
  ['insw', { r: word(reg.EDI, EDI + 2), memory: { 0x4100: 0xa2a4 } }],
  ['insd', { r: word(reg.EDI, EDI + 4), memory: { 0x4100: 0xa0a1a2a4 | 0 } }],
  ['std\ninsd', { r: { [reg.EDI]: EDI - 4, [reg.EFLAGS]: FLAGS | reg.DF }, memory: { 0x4100: 0xa0a1a2a4 | 0 } }],
  ['outsb', { r: word(reg.ESI, ESI + 1), out: [[EDX, 1, 0x78]] }, at(ESI, 0x12345678)],
  ['outsw', { r: word(reg.ESI, ESI + 2), out: [[EDX, 2, 0x5678]] }, at(ESI, 0x12345678)],
  ['outsd', { r: word(reg.ESI, ESI + 4), out: [[EDX, 4, 0x12345678]] }, at(ESI, 0x12345678)],
  ['in al, 7', { r: word(reg.EAX, 0x112233a4) }],
  ['in ax, 7', { r: word(reg.EAX, 0x1122a2a4) }],
  ['in eax, 7', { r: word(reg.EAX, 0xa0a1a2a4 | 0) }],
  ['in al, dx', { r: word(reg.EAX, 0x112233a4) }],
  ['in eax, dx', { r: word(reg.EAX, 0xa0a1a2a4 | 0) }],
  ['out 7, al', { out: [[7, 1, 0x44]] }],
  ['out 7, ax', { out: [[7, 2, 0x3344]] }],
  ['out 7, eax', { out: [[7, 4, EAX]] }],
  ['out dx, al', { out: [[EDX, 1, 0x44]] }],
  ['out dx, eax', { out: [[EDX, 4, EAX]] }],
  ['hlt', { r: word(reg.ACTIVITY, reg.HALTED) }],
  ['cli', flags(0, reg.IF), ({ r }) => { r[reg.EFLAGS] |= reg.IF }],
  ['sti', { r: { [reg.EFLAGS]: FLAGS | reg.IF, [reg.SHADOW]: reg.SHADOW_STI } }],
  ['sldt ax', { r: word(reg.EAX, 0x11220000 | LDT_SELECTOR) }],
  ['sldt [0x4000]', { memory: { 0x4000: LDT_SELECTOR } }],
  ['str cx', { r: word(reg.ECX, TASK) }],
  ['lldt ax', { r: { [reg.SELECTOR + reg.LDTR]: FREE, [reg.SEG_BASE + reg.LDTR]: 0x123456, [reg.SEG_LIMIT + reg.LDTR]: 0x77 } }, (world) => { world.descriptor(FREE, { base: 0x123456, limit: 0x77, attr: 0x82 }); world.r[reg.EAX] = FREE }],
  ['lldt ax', { r: { [reg.SELECTOR + reg.LDTR]: 0, [reg.SEG_ATTR + reg.LDTR]: 0 } }, ({ r }) => { r[reg.EAX] = 0 }],
  ['ltr ax', { r: { [reg.SELECTOR + reg.TR]: FREE, [reg.SEG_BASE + reg.TR]: 0x4400, [reg.SEG_LIMIT + reg.TR]: 0x80 }, memory: { [GDT + FREE + 4]: 0x8b00 } }, (world) => { world.descriptor(FREE, { base: 0x4400, limit: 0x80, attr: 0x89 }); world.r[reg.EAX] = FREE }],
  ['sgdt [0x4000]', { memory: { 0x4000: (GDT << 16) | 0x1ff, 0x4004: GDT >> 16 } }],
  ['sidt [0x4000]', { memory: { 0x4000: (IDT << 16) | 0x7ff, 0x4004: IDT >> 16 } }],
  ['lgdt [0x4000]', { r: { [reg.GDT_BASE]: 0x76543210, [reg.GDT_LIMIT]: 0x3ff } }, (world) => { at(0x4000, 0x321003ff)(world); at(0x4004, 0x7654)(world) }],
  ['o16 lidt [0x4000]', { r: { [reg.IDT_BASE]: 0x543210, [reg.IDT_LIMIT]: 0x3ff } }, (world) => { at(0x4000, 0x321003ff)(world); at(0x4004, 0x7654)(world) }],
  ['smsw ax', { r: word(reg.EAX, 0x11220011) }],
  ['smsw [0x4000]', { memory: { 0x4000: 0x0011 } }],
  ['lmsw ax', { r: word(reg.CR0, 0x1b) }, ({ r }) => { r[reg.EAX] = 0xfffa }],
  ['invlpg [0x4000]', nothing],
  ['clts', { r: word(reg.CR0, 0x11) }, ({ r }) => { r[reg.CR0] |= reg.CR0_TS }],
  ['invd', nothing],
  ['wbinvd', nothing],
  ['clflush [0x4000]', nothing],
  ['mov ebx, cr0', { r: word(reg.EBX, 0x11) }],
  ['mov ebx, cr2', { r: word(reg.EBX, 0x99) }, ({ r }) => { r[reg.CR2] = 0x99 }],
  ['mov ebx, cr3', { r: word(reg.EBX, 0x98000) }, ({ r }) => { r[reg.CR3] = 0x98000 }],
  ['mov ebx, cr4', { r: word(reg.EBX, reg.CR4_PGE) }, ({ r }) => { r[reg.CR4] = reg.CR4_PGE }],
  ['mov cr0, ebx', { r: word(reg.CR0, 0x10033) }, ({ r }) => { r[reg.EBX] = 0x10023 }],
  ['mov cr2, ebx', { r: word(reg.CR2, EBX) }],
  ['mov cr3, ebx', { r: word(reg.CR3, EBX) }],
  ['mov cr4, ebx', { r: word(reg.CR4, reg.CR4_PSE | reg.CR4_TSD) }, ({ r }) => { r[reg.EBX] = reg.CR4_PSE | reg.CR4_TSD }],
  ['mov ebx, dr1', { r: word(reg.EBX, 0x4321) }, ({ r }) => { r[reg.DR0 + 1] = 0x4321 }],
  ['mov ebx, dr6', { r: word(reg.EBX, 0xffff0ff0 | 0) }],
  ['mov ebx, dr7', { r: word(reg.EBX, 0x400) }],
  ['mov dr3, ebx', { r: word(reg.DR0 + 3, EBX) }],
  ['mov dr6, ebx', { r: word(reg.DR6, 0xffff4ff8 | 0) }, ({ r }) => { r[reg.EBX] = 0x4008 }],
  ['mov dr7, ebx', { r: word(reg.DR7, 0x00010400) }, ({ r }) => { r[reg.EBX] = 0x00010000 }],
  ['rdmsr', { r: { [reg.EAX]: 0x12345, [reg.EDX]: 0 } }, ({ r }) => { r[reg.ECX] = 0x175; r[reg.MSR_SYSENTER_ESP] = 0x12345 }],
  ['wrmsr', { r: word(reg.MSR_SYSENTER_EIP, EAX) }, ({ r }) => { r[reg.ECX] = 0x176 }],
  ['rdpmc', { r: { [reg.EAX]: 0, [reg.EDX]: 0 } }, ({ r }) => { r[reg.ECX] = 1 }],
  ['sysenter', { r: { [reg.EIP]: 0x12000, [reg.ESP]: 0x6500, [reg.SEG_ATTR + reg.CS]: flat(0x9b), [reg.SEG_ATTR + reg.SS]: flat(0x93), [reg.EFLAGS]: FLAGS } }, (world) => { sysenter(world); world.r[reg.EFLAGS] |= reg.IF }],
  ['sysexit', { r: { [reg.EIP]: EDX, [reg.ESP]: ECX, [reg.SELECTOR + reg.CS]: CODE3, [reg.SELECTOR + reg.SS]: DATA3, [reg.SEG_ATTR + reg.CS]: flat(0xfb), [reg.SEG_ATTR + reg.SS]: flat(0xf3) } }, sysenter],
  ['fwait', nothing],
  ['cpuid', { r: { [reg.EAX]: 11, [reg.EBX]: 0x756e6547, [reg.ECX]: 0x6c65746e, [reg.EDX]: 0x49656e69 } }, ({ r }) => { r[reg.EAX] = 0 }],
]

it.each(CASES.map(([text, expected, prepare], k) => [k, text.replaceAll('\n', '; '), text, expected, prepare] as const))('%i %s', (_k, _name, text, expected, prepare) => {
  const world = new World()
  const { r, machine } = world
  Object.entries({ [reg.EAX]: EAX, [reg.ECX]: ECX, [reg.EDX]: EDX, [reg.EBX]: EBX, [reg.EDI]: EDI, [reg.ESI]: ESI, [reg.EFLAGS]: FLAGS }).forEach(([index, value]) => (r[Number(index)] = value))
  machine.bus.input = () => 0xa0a1a2a4 | 0
  world.code(`${text}\nend:`)
  prepare?.(world)
  const before = r.slice()
  const memory = machine.bus.bytes.slice()
  for (let n = text.split('\n').length; n > 0; n--) machine.step()
  const named = (list: Readonly<Record<number, number>>) => Object.entries(list).map(([index, value]) => [Number(index), value | 0])
  const changes = [...r].map((value, index) => [index, value]).filter(([index, value]) => value !== before[index])
  // EIP is behind the instruction unless it goes elsewhere.
  const registers = { [reg.EIP]: world.at('end'), ...expected.r }
  expect(changes).toEqual(named(registers).filter(([index, value]) => value !== before[index]).sort(([a], [b]) => a - b))
  const dwords: (readonly [number, number])[] = []
  const view = new DataView(machine.bus.bytes.buffer)
  const old = new DataView(memory.buffer)
  for (let address = 0; address < memory.length; address += 4) if (view.getInt32(address, true) !== old.getInt32(address, true)) dwords.push([address, view.getInt32(address, true)])
  expect(dwords).toEqual(named(expected.memory ?? {}).filter(([address, value]) => old.getInt32(address, true) !== value))
  expect(machine.bus.out_.map(({ port, sizeBytes, value }) => [port, sizeBytes, value])).toEqual(expected.out ?? [])
})
