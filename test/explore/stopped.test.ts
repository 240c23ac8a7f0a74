// A search that is stopped says what it has found by then; its schedule fits what was known of shared memory as it was found.
import { expect, it } from 'vitest'
import { startCheck } from '../../src/explore/check.ts'
import { decodeGraphCheckpoint, encodeGraphCheckpoint } from '../../src/explore/graph/checkpoint.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { recordTrace, replayTrace } from '../../src/replay/record.ts'
import { makeModel } from '../../src/smp/model.ts'

/** That `q` is shared shows only where `third` comes before `first`; that increments are lost, where `second` and `third` take turns. */
const PROGRAM = `.vcpu first
.vcpu second
.vcpu third
.final check
first: mov dword [flag], 1
    ret
second: mov dword [q], 1
    mov eax, [r]
    inc eax
    mov [r], eax
    ret
third: cmp dword [flag], 0
    jne .on
    mov ecx, [q]
.on: mov eax, [r]
    inc eax
    mov [r], eax
    ret
check: mov eax, [r]
    cmp eax, 2
    sete al
    movzx eax, al
    assert "both counted"
    ret
section .data
align 4
flag: dd 0
q: dd 0
r: dd 0
`
it.each(['graph', 'auto'] as const)('%s: whenever that is, the trace is one of the violation', (engine) => {
  const image = assembleImage(PROGRAM, { title: 'stopped' })
  const model = makeModel()
  let found = 0
  for (let slices = 1; ; slices++) {
    const check = startCheck(image, model, { engine, limits: { sliceEvents: 7 }, autoEvents: 7 })
    let over = false
    for (let k = 0; k < slices && !over; k++) over = !check.advance()
    if (!over) check.stop()
    const kept = check.graphCheckpoint()
    const resumed = over || kept === null ? check : startCheck(image, model, { engine: 'graph', saved: decodeGraphCheckpoint(encodeGraphCheckpoint(kept)) })
    resumed.stop()
    for (const result of [check.result(), resumed.result()]) {
      if (result.verdict !== 'violated') continue
      found++
      const trace = recordTrace(image, model, result.sharing, result.schedule!)
      expect([slices, trace.violation?.kind, replayTrace(trace).divergence]).toEqual([slices, 'assertion', null])
    }
    if (over) break
  }
  expect(found).toBeGreaterThan(1)
})
