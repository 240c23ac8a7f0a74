/** What the machine does for a call from the guest (guestCalls.ts). */
import { EIP, SHADOW, SHADOW_MOV_SS, SHADOW_STI } from '../cpu/registers.ts'
import { AT_BLOCK, AT_CHOOSE, AT_CUT, AT_FENCE, AT_MARK, AT_POLL, AT_SEND, AT_YIELD, BLOCK_UNTIL_INTERRUPT, BUFFER_COUNT, ENDED, IRR, KICKED, NMI_PENDING, STATUS } from './layout.ts'
import { FP_MEMORY_READ, FP_RESOURCE_WRITE, pendingOf, RESOURCE_MARKS } from './footprint.ts'
import { GUEST_CALLS, nameOfCall } from './guestCalls.ts'
import { READ } from './image.ts'
import { BY_INTERRUPT, BY_NMI } from './sharing.ts'
import { noteClaimed, noteLifetime, noteReleased } from './specialMemory.ts'
import type { Board } from './board.ts'
import type { VcpuBus } from './vcpuBus.ts'
import { WAKE_IPI, WAKE_KICK, WAKE_NMI, wakeBy } from './wakes.ts'

/** Most alternatives of one data choice. */
const CHOICES_MAX = 256
/** Most bytes of one XM_FREE or XM_ALLOC. */
const LIFETIME_BYTES_MAX = 1 << 20

/** Calls that change nothing: a loop that makes one may still be a wait. */
const QUIET_CALLS: ReadonlySet<number> = new Set([GUEST_CALLS.assert, GUEST_CALLS.assume, GUEST_CALLS.reach, GUEST_CALLS.vcpu, GUEST_CALLS.log])
/** Calls about a stretch of memory. */
const SPANS: ReadonlySet<number> = new Set([
  GUEST_CALLS.free, GUEST_CALLS.alloc, GUEST_CALLS.building, GUEST_CALLS.built, GUEST_CALLS.pending, GUEST_CALLS.settled,
  GUEST_CALLS.lent, GUEST_CALLS.unfilled,
])
/** Calls that concern nobody but the vCPU (stepMemo.ts). */
const LOCAL_CALLS: ReadonlySet<number> = new Set([...QUIET_CALLS, GUEST_CALLS.exit, GUEST_CALLS.choose, GUEST_CALLS.progress])

/** Performs call `call` of `vcpu`; the new EAX. It may park (`cpu.stop`) and is then asked again. */
export function callGuest(machine: Board, vcpu: number, bus: VcpuBus, call: number, eax: number, edx: number): number {
  const running = machine.running()
  if (!QUIET_CALLS.has(call)) machine.quiet = false
  if (!LOCAL_CALLS.has(call)) machine.memo.abandon()
  const event = (pending: number, ways = 1) => !running || bus.gate(pending, 0, 0, ways)
  switch (call) {
    case GUEST_CALLS.exit:
      // It walks no tables any more; up to then it may, long after what it did last.
      if ((machine.sharing.anyLooked || machine.sharing.anyJudged) && machine.translations?.isOn(vcpu) && !event(AT_MARK)) return 0
      if (machine.sharing.anyJudged) machine.noteTranslating(vcpu)
      machine.losingTranslations(() => machine.setWord(vcpu, STATUS, ENDED))
      machine.effect = true
      for (const monitor of machine.watchers.ends) monitor.onEnd!(vcpu)
      machine.observer?.({ kind: 'end', vcpu, address: 0, sizeBytes: 0, value: 0 })
      return eax
    case GUEST_CALLS.assert:
      machine.countPoint(edx)
      if (eax === 0) machine.violate('assertion', vcpu, describe(machine, vcpu, edx))
      return eax
    case GUEST_CALLS.assume:
      // A step of its own: others may do something wrong before, or make it hold in what has not been learnt to be shared.
      if (eax === 0 && !event(AT_CUT)) return 0
      machine.countPoint(edx)
      if (eax === 0) machine.cutExecution(vcpu)
      return eax
    case GUEST_CALLS.choose: {
      machine.countPoint(edx)
      const ways = eax >>> 0
      if (ways === 0 || ways > CHOICES_MAX) {
        machine.violate('bad-call', vcpu, `a choice among ${ways}: 1 to ${CHOICES_MAX} are possible`)
        return 0
      }
      if (ways > 1 && !bus.gate(AT_CHOOSE, 0, 0, ways)) return 0
      const value = ways > 1 ? bus.way : 0
      machine.observer?.({ kind: 'choose', vcpu, address: ways, sizeBytes: 0, value })
      return value
    }
    case GUEST_CALLS.ipi:
    case GUEST_CALLS.nmi:
    case GUEST_CALLS.kick:
      return send(machine, vcpu, bus, call, eax, edx, event)
    case GUEST_CALLS.progress:
      machine.progressed |= 1 << vcpu
      machine.countPoint(edx)
      return eax
    case GUEST_CALLS.reach:
      machine.countPoint(edx)
      return eax
    case GUEST_CALLS.enter:
    case GUEST_CALLS.leave:
    case GUEST_CALLS.arrive:
    case GUEST_CALLS.queued:
    case GUEST_CALLS.release:
    case GUEST_CALLS.patched:
    case GUEST_CALLS.unmapped:
    case GUEST_CALLS.mapped:
    case GUEST_CALLS.building:
    case GUEST_CALLS.built:
    case GUEST_CALLS.pending:
    case GUEST_CALLS.settled:
    case GUEST_CALLS.lent:
    case GUEST_CALLS.unfilled:
    case GUEST_CALLS.modeon:
    case GUEST_CALLS.modeoff:
    case GUEST_CALLS.free:
    case GUEST_CALLS.alloc: {
      const wrong = wrongSpan(machine, vcpu, call, eax, edx >>> 0)
      if (wrong !== null) {
        machine.violate('bad-call', vcpu, `XM_${nameOfCall(call).toUpperCase()} of ${edx >>> 0} bytes at ${machine.symbolize(eax)}: ${wrong}`)
        return 0
      }
      if (call === GUEST_CALLS.patched) noteClaimed(machine, vcpu, eax)
      if (!event(AT_MARK)) return 0
      machine.effect = true
      machine.footprint.addUpdate(RESOURCE_MARKS)
      // Who frees a page table is judged by who may walk through it.
      if (call === GUEST_CALLS.free) machine.noteAllTranslating()
      machine.onMark(vcpu, call, eax, edx)
      machine.observer?.({ kind: 'mark', vcpu, address: eax >>> 0, sizeBytes: 0, value: call })
      return eax
    }
    case GUEST_CALLS.block:
    case GUEST_CALLS.halt:
      if (machine.wordOf(vcpu, KICKED) === 0) {
        leaveShadow(machine, vcpu)
        bus.park(AT_BLOCK, 0, call === GUEST_CALLS.halt ? BLOCK_UNTIL_INTERRUPT : 0, 1)
        return 0
      }
      if (!event(AT_BLOCK)) return 0
      machine.setWord(vcpu, KICKED, 0)
      machine.effect = true
      machine.noteWakeTaken(vcpu)
      machine.footprint.add(FP_RESOURCE_WRITE, pendingOf(vcpu), 0)
      machine.observer?.({ kind: 'block', vcpu, address: 0, sizeBytes: 0, value: 0 })
      return eax
    case GUEST_CALLS.poll:
      return poll(machine, vcpu, bus, eax)
    case GUEST_CALLS.yield:
      if (machine.wordOf(vcpu, BUFFER_COUNT) > 0) {
        bus.park(AT_FENCE, 0, 0, 1)
        return 0
      }
      if (!machine.sharesPcpus || !running) return eax
      if (!event(AT_YIELD)) return 0
      machine.yields = true
      return eax
    case GUEST_CALLS.vcpu:
      return vcpu
    case GUEST_CALLS.log:
      machine.observer?.({ kind: 'mark', vcpu, address: edx >>> 0, sizeBytes: 4, value: eax })
      return eax
    default:
      machine.violate('bad-call', vcpu, `call ${call} to the checker: there is none of that number`)
      return 0
  }
}

/** Notes what memory a call is about; why it cannot be, null: it can, or is about none. */
function wrongSpan(machine: Board, vcpu: number, call: number, address: number, sizeBytes: number): string | null {
  const releases = call === GUEST_CALLS.release
  if (!releases && !SPANS.has(call)) return null
  if (sizeBytes > LIFETIME_BYTES_MAX) return `${LIFETIME_BYTES_MAX} are possible`
  if (releases ? noteReleased(machine, address, sizeBytes) : noteLifetime(machine, vcpu, address, sizeBytes)) return null
  return 'not all of that is memory; it is named by physical addresses, with paging on too'
}

/** Who sleeps in the hypervisor can be interrupted: the shadow of an STI or MOV SS in front ends there, as at HLT. */
function leaveShadow(machine: Board, vcpu: number): void {
  machine.cpus[vcpu].r[SHADOW] &= ~(SHADOW_STI | SHADOW_MOV_SS)
}

/** Entering the hypervisor empties the store buffer; then the byte decides. */
function poll(machine: Board, vcpu: number, bus: VcpuBus, address: number): number {
  const { memory } = machine
  const at = memory.index(address)
  if (at < 0 || !memory.allows(address, READ)) {
    machine.violate('bad-call', vcpu, `polls ${machine.symbolize(address)}, which is not memory`)
    return 0
  }
  if (machine.running()) machine.sharing.noteRead(memory.granule(at), memory.granule(at), 1 << vcpu)
  if (machine.wordOf(vcpu, BUFFER_COUNT) > 0 || memory.u8[at] === 0) {
    leaveShadow(machine, vcpu)
    bus.park(AT_POLL, address, 1, 1)
    return 0
  }
  if (machine.running() && !bus.gate(AT_POLL, address, 1, 1)) return 0
  machine.footprint.add(FP_MEMORY_READ, address, 1)
  machine.observer?.({ kind: 'block', vcpu, address: address >>> 0, sizeBytes: 1, value: memory.u8[at] })
  return memory.u8[at]
}

function send(
  machine: Board, vcpu: number, bus: VcpuBus, call: number, eax: number, edx: number, event: (pending: number) => boolean,
): number {
  const target = eax >>> 0
  if (target >= machine.cpus.length) {
    machine.violate('bad-call', vcpu, `an interrupt or kick for vCPU ${target}: there are ${machine.cpus.length}`)
    return 0
  }
  if (machine.model.ipiDrains && machine.wordOf(vcpu, BUFFER_COUNT) > 0) {
    bus.park(AT_SEND, 0, 0, 1)
    return 0
  }
  if (!event(AT_SEND)) return 0
  machine.effect = true
  machine.footprint.add(FP_RESOURCE_WRITE, pendingOf(target), 0)
  const vector = edx & 0xff
  machine.noteWake(target, call === GUEST_CALLS.kick ? wakeBy(WAKE_KICK, vcpu) : call === GUEST_CALLS.nmi ? wakeBy(WAKE_NMI, vcpu) : wakeBy(WAKE_IPI, vcpu, vector))
  if (call === GUEST_CALLS.kick) machine.setWord(target, KICKED, 1)
  else {
    machine.sharing.noteInterruptible(target, call === GUEST_CALLS.nmi ? BY_NMI : BY_INTERRUPT)
    if (call === GUEST_CALLS.nmi) machine.setWord(target, NMI_PENDING, 1)
    else machine.setWord(target, IRR + (vector >> 5), machine.wordOf(target, IRR + (vector >> 5)) | (1 << (vector & 31)))
  }
  machine.observer?.({ kind: 'send', vcpu, address: target, sizeBytes: 0, value: call === GUEST_CALLS.ipi ? edx & 0xff : call === GUEST_CALLS.nmi ? 2 : -1 })
  return eax
}

function describe(machine: Board, vcpu: number, id: number): string {
  const point = machine.image.points.find((other) => other.id >>> 0 === id >>> 0)
  const where = point !== undefined && point.line > 0 ? `${point.file}:${point.line}` : machine.symbolize(machine.cpus[vcpu].r[EIP])
  if (point?.kind === 'fail') return `${where}: reached ${point.text}`
  return `${where}: assertion ${point ? `\`${point.text}\`` : (id >>> 0).toString(16)} failed`
}
