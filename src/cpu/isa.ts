/**
 * The instruction table: the one place where encodings stand. Decoder, dispatch, assembler and tests read it.
 *
 * A row in text: mnemonic, opcode bytes, ModRM (`r` a ModRM follows, `0`-`7` its reg field belongs to the
 * opcode, `+` the low three bits of the opcode are a register, `-` neither), operands in the notation of the
 * opcode map (SDM vol. 2D appendix A), flags: `lock` may carry LOCK with a memory destination, `f3` only with
 * that prefix, `alias` another encoding of what stands elsewhere, which no assembler chooses.
 */
import { UNDEFINED, type UndefinedRule } from './undefined.ts'

export interface IsaRow {
  readonly mnemonic: string
  readonly opcode: readonly number[]
  /** reg field that belongs to the opcode; -1: none. */
  readonly digit: number
  readonly modrm: boolean
  readonly plusR: boolean
  readonly operands: readonly string[]
  readonly lockable: boolean
  /** Mandatory prefix: 0 or 0xf3. */
  readonly prefix: number
  readonly alias: boolean
  /** Flags, or the result, that the manual leaves undefined; null: nothing. */
  readonly undefined: UndefinedRule | null
}

const ALU = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp']
const SHIFTS = ['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'sal', 'sar']
export const CONDITIONS = ['o', 'no', 'b', 'nb', 'z', 'nz', 'be', 'nbe', 's', 'ns', 'p', 'np', 'l', 'nl', 'le', 'nle']

const hex2 = (value: number) => value.toString(16).padStart(2, '0')

const TEXT: string[] = [
  ...ALU.flatMap((name, k) => {
    const lock = name === 'cmp' ? '' : ' lock'
    return [
      `${name} ${hex2(k * 8)} r Eb,Gb${lock}`,
      `${name} ${hex2(k * 8 + 1)} r Ev,Gv${lock}`,
      `${name} ${hex2(k * 8 + 2)} r Gb,Eb`,
      `${name} ${hex2(k * 8 + 3)} r Gv,Ev`,
      `${name} ${hex2(k * 8 + 4)} - AL,Ib`,
      `${name} ${hex2(k * 8 + 5)} - eAX,Iz`,
      `${name} 80 ${k} Eb,Ib${lock}`,
      `${name} 81 ${k} Ev,Iz${lock}`,
      `${name} 82 ${k} Eb,Ib${lock} alias`,
      `${name} 83 ${k} Ev,sIb${lock}`,
    ]
  }),
  'push 06 - ES', 'pop 07 - ES', 'push 0e - CS', 'push 16 - SS', 'pop 17 - SS', 'push 1e - DS', 'pop 1f - DS',
  'push 0fa0 - FS', 'pop 0fa1 - FS', 'push 0fa8 - GS', 'pop 0fa9 - GS',
  'daa 27 -', 'das 2f -', 'aaa 37 -', 'aas 3f -', 'aam d4 - Ib', 'aad d5 - Ib',
  'inc 40 + Zv', 'dec 48 + Zv', 'push 50 + Zv', 'pop 58 + Zv', 'pusha 60 -', 'popa 61 -', 'bound 62 r Gv,Ma',
  'arpl 63 r Ew,Gw', 'push 68 - Iz', 'imul 69 r Gv,Ev,Iz', 'push 6a - sIb', 'imul 6b r Gv,Ev,sIb',
  'ins 6c - Yb,DX', 'ins 6d - Yz,DX', 'outs 6e - DX,Xb', 'outs 6f - DX,Xz',
  ...CONDITIONS.flatMap((c, k) => [
    `j${c} ${hex2(0x70 + k)} - Jb`,
    `j${c} 0f${hex2(0x80 + k)} - Jz`,
    `set${c} 0f${hex2(0x90 + k)} r Eb`,
    `cmov${c} 0f${hex2(0x40 + k)} r Gv,Ev`,
  ]),
  'test 84 r Eb,Gb', 'test 85 r Ev,Gv', 'xchg 86 r Eb,Gb lock', 'xchg 87 r Ev,Gv lock',
  'mov 88 r Eb,Gb', 'mov 89 r Ev,Gv', 'mov 8a r Gb,Eb', 'mov 8b r Gv,Ev', 'mov 8c r Ev,Sw', 'lea 8d r Gv,M', 'mov 8e r Sw,Ew',
  'pop 8f 0 Ev', 'nop 90 -', 'pause 90 - f3', 'xchg 90 + Zv,eAX', 'cbw 98 -', 'cwd 99 -', 'call 9a - Ap', 'fwait 9b -',
  'pushf 9c -', 'popf 9d -', 'sahf 9e -', 'lahf 9f -',
  'mov a0 - AL,Ob', 'mov a1 - eAX,Ov', 'mov a2 - Ob,AL', 'mov a3 - Ov,eAX',
  'movs a4 - Yb,Xb', 'movs a5 - Yv,Xv', 'cmps a6 - Xb,Yb', 'cmps a7 - Xv,Yv', 'test a8 - AL,Ib', 'test a9 - eAX,Iz',
  'stos aa - Yb,AL', 'stos ab - Yv,eAX', 'lods ac - AL,Xb', 'lods ad - eAX,Xv', 'scas ae - AL,Yb', 'scas af - eAX,Yv',
  'mov b0 + Zb,Ib', 'mov b8 + Zv,Iv',
  ...SHIFTS.flatMap((name, k) => [
    `${name} c0 ${k} Eb,Ib`, `${name} c1 ${k} Ev,Ib`, `${name} d0 ${k} Eb,1`, `${name} d1 ${k} Ev,1`,
    `${name} d2 ${k} Eb,CL`, `${name} d3 ${k} Ev,CL`,
  ]),
  'ret c2 - Iw', 'ret c3 -', 'les c4 r Gz,Mp', 'lds c5 r Gz,Mp', 'mov c6 0 Eb,Ib', 'mov c7 0 Ev,Iz', 'enter c8 - Iw,Ib', 'leave c9 -',
  'retf ca - Iw', 'retf cb -', 'int3 cc -', 'int cd - Ib', 'into ce -', 'iret cf -', 'salc d6 -', 'xlat d7 -',
  ...[0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf].map((byte) => `x87 ${hex2(byte)} r E`),
  'loopne e0 - Jb', 'loope e1 - Jb', 'loop e2 - Jb', 'jcxz e3 - Jb', 'in e4 - AL,Ib', 'in e5 - eAX,Ib', 'out e6 - Ib,AL', 'out e7 - Ib,eAX',
  'call e8 - Jz', 'jmp e9 - Jz', 'jmp ea - Ap', 'jmp eb - Jb', 'in ec - AL,DX', 'in ed - eAX,DX', 'out ee - DX,AL', 'out ef - DX,eAX',
  'int1 f1 -', 'hlt f4 -', 'cmc f5 -',
  'test f6 0 Eb,Ib', 'test f6 1 Eb,Ib alias', 'not f6 2 Eb lock', 'neg f6 3 Eb lock', 'mul f6 4 Eb', 'imul f6 5 Eb', 'div f6 6 Eb', 'idiv f6 7 Eb',
  'test f7 0 Ev,Iz', 'test f7 1 Ev,Iz alias', 'not f7 2 Ev lock', 'neg f7 3 Ev lock', 'mul f7 4 Ev', 'imul f7 5 Ev', 'div f7 6 Ev', 'idiv f7 7 Ev',
  'clc f8 -', 'stc f9 -', 'cli fa -', 'sti fb -', 'cld fc -', 'std fd -',
  'inc fe 0 Eb lock', 'dec fe 1 Eb lock', 'inc ff 0 Ev lock', 'dec ff 1 Ev lock', 'call ff 2 Ev', 'call ff 3 Mp', 'jmp ff 4 Ev', 'jmp ff 5 Mp', 'push ff 6 Ev',
  'sldt 0f00 0 Ev', 'str 0f00 1 Ev', 'lldt 0f00 2 Ew', 'ltr 0f00 3 Ew', 'verr 0f00 4 Ew', 'verw 0f00 5 Ew',
  'sgdt 0f01 0 Ms', 'sidt 0f01 1 Ms', 'lgdt 0f01 2 Ms', 'lidt 0f01 3 Ms', 'smsw 0f01 4 Ev', 'lmsw 0f01 6 Ew', 'invlpg 0f01 7 M',
  'lar 0f02 r Gv,Ew', 'lsl 0f03 r Gv,Ew', 'clts 0f06 -', 'invd 0f08 -', 'wbinvd 0f09 -', 'ud2 0f0b -',
  // What later parts gave other meanings, so that it does nothing on these: prefetches, ENDBR and the like.
  ...['0d', '18', '19', '1a', '1b', '1c', '1d', '1e'].map((byte) => `nop 0f${byte} r Ev alias`),
  'nop 0f1f r Ev', 'mov 0f20 r Rd,Cd', 'mov 0f21 r Rd,Dd', 'mov 0f22 r Cd,Rd', 'mov 0f23 r Dd,Rd',
  'wrmsr 0f30 -', 'rdtsc 0f31 -', 'rdmsr 0f32 -', 'rdpmc 0f33 -', 'sysenter 0f34 -', 'sysexit 0f35 -', 'cpuid 0fa2 -',
  'bt 0fa3 r Ev,Gv', 'shld 0fa4 r Ev,Gv,Ib', 'shld 0fa5 r Ev,Gv,CL', 'bts 0fab r Ev,Gv lock', 'shrd 0fac r Ev,Gv,Ib', 'shrd 0fad r Ev,Gv,CL',
  'fxsave 0fae 0 M', 'fxrstor 0fae 1 M', 'lfence 0fae 5', 'mfence 0fae 6', 'clflush 0fae 7 Mb', 'sfence 0fae 7',
  'imul 0faf r Gv,Ev', 'cmpxchg 0fb0 r Eb,Gb lock', 'cmpxchg 0fb1 r Ev,Gv lock', 'lss 0fb2 r Gz,Mp', 'btr 0fb3 r Ev,Gv lock',
  'lfs 0fb4 r Gz,Mp', 'lgs 0fb5 r Gz,Mp', 'movzx 0fb6 r Gv,Eb', 'movzx 0fb7 r Gv,Ew',
  'bt 0fba 4 Ev,Ib', 'bts 0fba 5 Ev,Ib lock', 'btr 0fba 6 Ev,Ib lock', 'btc 0fba 7 Ev,Ib lock', 'btc 0fbb r Ev,Gv lock',
  'bsf 0fbc r Gv,Ev', 'bsr 0fbd r Gv,Ev', 'movsx 0fbe r Gv,Eb', 'movsx 0fbf r Gv,Ew',
  'xadd 0fc0 r Eb,Gb lock', 'xadd 0fc1 r Ev,Gv lock', 'cmpxchg8b 0fc7 1 Mq lock', 'bswap 0fc8 + Zv',
]

/** What a name may end in after its operands. */
const FLAGS = ['lock', 'f3', 'alias']

export const ISA: readonly IsaRow[] = TEXT.map((text) => {
  const [mnemonic, opcode, form = '-', ...rest] = text.split(' ')
  const operands = rest.length > 0 && !FLAGS.includes(rest[0]) ? rest[0].split(',') : []
  return {
    mnemonic,
    opcode: opcode.match(/../g)!.map((byte) => parseInt(byte, 16)),
    digit: form >= '0' && form <= '7' ? Number(form) : -1,
    modrm: form !== '-' && form !== '+',
    plusR: form === '+',
    operands,
    lockable: rest.includes('lock'),
    prefix: rest.includes('f3') ? 0xf3 : 0,
    alias: rest.includes('alias'),
    undefined: UNDEFINED[mnemonic] ?? null,
  }
})
