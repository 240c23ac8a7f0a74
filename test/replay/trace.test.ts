import { readFileSync } from 'node:fs'
import { Packr, Unpackr } from 'msgpackr'
import { describe, expect, it } from 'vitest'
import { assembleImage, checkImage, decodeTrace, encodeTrace, LAYOUTS, makeModel, recordTrace, replayTrace, runCell, TraceError } from '../../src/index.ts'
import { formatSharing, parseSharing } from '../../src/replay/sharingText.ts'

const objects = [{ name: 'relink.o', bytes: new Uint8Array(readFileSync(new URL('../../examples/relink.o', import.meta.url))) }]
const cell = runCell(objects, LAYOUTS[2], 2, { fetch: 'ordered:8' })
const trace = recordTrace(cell.image, cell.model, cell.result.sharing, cell.result.schedule!)
const file = encodeTrace(trace)

describe('traces', () => {
  it('replay bit for bit after a round trip through the file', () => {
    const replay = replayTrace(decodeTrace(file))
    expect(replay.divergence).toBeNull()
    expect(replay.violation).toEqual(trace.violation)
  })

  it.each([['ipi 0, 33', '33', 'int:0'], ['nmi 0', '2', 'nmi:0'], ['ipi 0, 33\nnmi 0', '33, handler\n.handler 2', 'irq:0']])('know what a vCPU takes after %s', (send, handlers, word) => {
    const code = `.vcpu target\n.vcpu sender\n.handler ${handlers}, handler\ntarget: nop\nsti\nnop\nnop\ncmp dword [x], 0\nsete al\nmovzx eax, al\nassert eax\nret\nsender: ${send}\nret\nhandler: inc dword [x]\niret\nsection .data\nx: dd 0`
    const image = assembleImage(code, { title: 'interrupts' })
    const result = checkImage(image, makeModel())
    const recorded = recordTrace(image, makeModel(), result.sharing, result.schedule!)
    expect(replayTrace(decodeTrace(encodeTrace(recorded)))).toMatchObject({ divergence: null, violation: { kind: 'assertion' } })
    expect(formatSharing(image, recorded.sharing)).toContain(word)
    expect(parseSharing(image, formatSharing(image, recorded.sharing)).sharing.interruptible).toEqual(recorded.sharing.interruptible)
  })

  it('name shared memory by what begins in the middle of a dword, where nothing else is there', () => {
    // In front of the bytes nothing has a name.
    const image = assembleImage('.vcpu a\n.vcpu b\na: inc byte [x]\nret\nb: inc byte [x]\nret\nsection .data\nalign 4\ndb 0\nx: db 0\ny: db 0')
    const { sharing } = checkImage(image, makeModel())
    const recorded = recordTrace(image, makeModel(), sharing, []).sharing
    expect(formatSharing(image, recorded)).toEqual(['share:x'])
    expect(parseSharing(image, ['share:x']).sharing.shared).toEqual(recorded.shared)
  })

  it('locate a divergence at its first step', () => {
    const checks = Int32Array.from(trace.checks)
    checks[1] ^= 1
    expect(replayTrace({ ...decodeTrace(file), checks }).divergence!.step).toBe(1)
    const schedule = Int32Array.from(trace.schedule)
    schedule[0] = 0x7f000
    expect(replayTrace({ ...decodeTrace(file), schedule }).divergence!.step).toBe(0)
  })

  it('of which any one bit is another are refused', () => {
    for (let at = 0; at < file.length; at += 7) {
      const damaged = Uint8Array.from(file)
      damaged[at] ^= 1 << (at % 8)
      expect(() => decodeTrace(damaged), `byte ${at}`).toThrow(TraceError)
    }
  })

  it('damaged: a clear error, never anything else', () => {
    let state = 12345
    const random = (n: number) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % n
    const attempt = (bytes: Uint8Array) => {
      try {
        decodeTrace(bytes)
      } catch (error) {
        if (!(error instanceof TraceError) && (error as Error).constructor.name !== 'KnobError') throw error
      }
    }
    for (let k = 0; k < 200; k++) attempt(file.subarray(0, random(file.length)))
    for (let k = 0; k < 300; k++) {
      const copy = Uint8Array.from(file)
      copy[random(k < 150 ? copy.length : 400)] = random(256)
      attempt(copy)
    }
    // Older traces have no sum: what their parts say is all that there is to go by.
    const { sum: _, ...fields } = new Unpackr({ useRecords: false, mapsAsObjects: true }).unpack(file) as Record<string, unknown>
    const older = Uint8Array.from(new Packr({ useRecords: false, variableMapSize: true }).pack({ ...fields, version: 4 }))
    expect(decodeTrace(older).checks).toEqual(trace.checks)
    for (let k = 0; k < 300; k++) {
      const copy = Uint8Array.from(older)
      copy[random(k < 150 ? copy.length : 400)] = random(256)
      attempt(copy)
    }
  })
})
