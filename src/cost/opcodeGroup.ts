/** What a table of costs wants to know of an instruction. */
import { CREG, DREG, IMM, MEM, type Op } from '../cpu/decode.ts'
import { ISA } from '../cpu/isa.ts'

export interface OpcodeGroup {
  /** Mnemonic; `j` for every conditional jump. */
  readonly name: string
  /** A call or jump through a register or memory. */
  readonly indirect: boolean
  readonly pause: boolean
  /** LOCK prefix, or XCHG with memory. */
  readonly locked: boolean
  /** Core-serialising (SDM vol. 3A 9.3), whether or not there is code that could be stale. */
  readonly serializing: boolean
}

const SERIALIZING: ReadonlySet<string> = new Set(['cpuid', 'iret', 'invd', 'invlpg', 'lgdt', 'lidt', 'lldt', 'lmsw', 'ltr', 'rsm', 'wbinvd', 'wrmsr'])

const known = new WeakMap<Op, OpcodeGroup>()

const groupName = (mnemonic: string) => (mnemonic.startsWith('j') && mnemonic !== 'jmp' ? 'j' : mnemonic)
/** All names that instructions are counted by. */
export const GROUP_NAMES: ReadonlySet<string> = new Set(ISA.map(({ mnemonic }) => groupName(mnemonic)))

export function opcodeGroup(op: Op): OpcodeGroup {
  let group = known.get(op)
  if (group === undefined) {
    const mnemonic = op.row?.mnemonic ?? ''
    const indirect = (mnemonic === 'call' || mnemonic === 'jmp') && op.a.kind !== IMM
    const serializing = SERIALIZING.has(mnemonic) || op.a.kind === CREG || op.a.kind === DREG
    group = { name: groupName(mnemonic), indirect, pause: mnemonic === 'pause', locked: op.lock || (mnemonic === 'xchg' && (op.a.kind === MEM || op.b.kind === MEM)), serializing }
    known.set(op, group)
  }
  return group
}
