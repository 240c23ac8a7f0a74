/**
 * Which registers besides the general ones an instruction, or the delivery of an event, may change: what others have to be able to see
 * before and after. Task switches change them all, and are told by the bus (`retarget`).
 *
 * ```
 *  15..8                          2         1      0
 * [ segment registers ES .. LDTR ][ IF, IOPL ][ DR7 ][ CR0, CR3, CR4 ]
 * ```
 */
import { CREG, DREG, SREG, type Op } from './decode.ts'
import { DS, ES, FS, GS, LDTR, SS } from './registers.ts'

export const CONTROL_CHANGES = 1 << 0
export const DEBUG_CHANGES = 1 << 1
export const FLAG_CHANGES = 1 << 2
export const changesSegment = (seg: number): number => 1 << (8 + seg)

const DATA_SEGMENTS = [ES, DS, FS, GS].reduce((all, seg) => all | changesSegment(seg), 0)
/** #DB closes DR7.GD, gates IF; out of virtual-8086 mode the data segments become null (SDM vol. 3A 7.12.1, 22.3.1). */
export const DELIVERY_CHANGES = DEBUG_CHANGES | FLAG_CHANGES | DATA_SEGMENTS

const BY_NAME: Readonly<Record<string, number>> = {
  clts: CONTROL_CHANGES, lmsw: CONTROL_CHANGES,
  cli: FLAG_CHANGES, sti: FLAG_CHANGES, popf: FLAG_CHANGES, sysenter: FLAG_CHANGES,
  // Data segments that the outer ring may not use become null; IRET to virtual-8086 mode loads them.
  iret: FLAG_CHANGES | DATA_SEGMENTS, retf: DATA_SEGMENTS,
  les: changesSegment(ES), lds: changesSegment(DS), lss: changesSegment(SS), lfs: changesSegment(FS), lgs: changesSegment(GS),
  lldt: changesSegment(LDTR),
}

/** Bits of what `op` may change. Where INT n, or an instruction that faults, leads is the delivery's business. */
export function systemEffectOf({ row, a }: Op): number {
  const name = row?.mnemonic ?? ''
  if (name === 'mov' && a.kind === CREG) return CONTROL_CHANGES
  if (name === 'mov' && a.kind === DREG) return DEBUG_CHANGES
  if ((name === 'mov' || name === 'pop') && a.kind === SREG) return changesSegment(a.value)
  return BY_NAME[name] ?? 0
}
