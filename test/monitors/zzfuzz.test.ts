import { it, expect } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { Machine } from '../../src/smp/machine.ts'
import { monitorsFor } from '../../src/explore/monitors/index.ts'
import { makeModel } from '../../src/smp/model.ts'
import { Sharing } from '../../src/smp/sharing.ts'

let seed = Number(process.env.SEED ?? 1)
const rnd = (n: number) => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return Math.floor((seed / 2 ** 32) * n) }
const pick = <T>(list: readonly T[]) => list[rnd(list.length)]
const body = (v: number) => Array.from({ length: 2 + rnd(4) }, () => pick([
  'mov eax, [a]', 'mov ecx, [b]', `mov dword [a], ${rnd(2)}`, `mov dword [b], ${pick([0, 0x5000])}`, `lock xchg [a], edx`,
  'mov eax, cr0\nor eax, 8\nmov cr0, eax', 'clts', 'mov eax, 0x5000\nmov cr3, eax', 'mov eax, 0\nmov cr3, eax', 'mov edx, 1',
  `modeon m, ${1 + rnd(2)}\nmodeoff m, 1`, 'modeon m, 1\nmov eax, [c]\nmodeoff m, 1', 'mov dword [c], 1', `mov eax, [q${v}]`, rnd(4) === 0 ? `mov dword [q${1 - v}], 1` : 'nop', 'mfence',
  'cmp dword [c], 0\nje .s' + (seed & 0xffff) + '\nmov eax, [a]\n.s' + (seed & 0xffff) + ':',
  'unfilled u, 4\nmov dword [u], 1\nsettled u, 4', 'mov eax, [u]', 'lent w, 4\nmov eax, [w]\nsettled w, 4', 'mov dword [w], 1',
])).join('\n')
const program = () => `${pick(['.belief 0, a, ts', '.belief 1, a, ts, 1, 0', '.belief 0, a, ts, 1, 1, may', ''])}\n${pick(['.belief 1, b, cr3', '.belief 0, b, cr3, 0x5000, 0x5000, may', ''])}\n${pick(['.own 0, q0, 4\n.own 1, q1, 4', ''])}
.vcpu v0
.vcpu v1
v0:\n${body(0)}\nret\nv1:\n${body(1)}\nret
section .data
align 64
a: dd 0\nalign 64\nb: dd 0\nalign 64\nc: dd 0\nq0: dd 0\nq1: dd 0\nu: dd 0\nw: dd 0\nm: dd 0\n`

/** All violations kinds reachable by brute force with everything shared. */
it('engines agree', () => {
  const kinds: Record<string, number> = {}
  for (let n = 0; n < Number(process.env.RUNS ?? 60); n++) {
    const text = program()
    const image = assembleImage(text, { title: 'f' })
    const results = (['graph', 'dpor'] as const).map((engine) => checkImage(image, makeModel(), { engine, liveness: 'off' }))
    const say = results.map((r) => (r.violation ? 'violated' : 'holds'))
    // Everything shared: no reduction.
    const model = makeModel()
    const pagesOf = new Machine(image, model, { monitors: monitorsFor(image) })
    const sharing = new Sharing(pagesOf.sharing.shared.length, 2)
    sharing.shareEverything()
    const machine = new Machine(image, model, { monitors: monitorsFor(image), sharing, memo: false })
    let violated = false, count = 0
    const out = new Int32Array(1024)
    const seen = new Set<string>()
    const walk = () => {
      if (violated || count++ > 60000) return
      const many = machine.enabled(out)
      const list = out.slice(0, many)
      for (const choice of list) {
        machine.take(choice)
        if (machine.violation !== null) violated = true
        const key = `${machine.store.h0},${machine.store.h1}`
        if (!violated && !seen.has(key)) { seen.add(key); walk() }
        machine.undo()
        if (violated) return
      }
    }
    if (machine.violation !== null) violated = true
    walk()
    if (count > 60000) { kinds.toolarge = (kinds.toolarge ?? 0) + 1; continue }
    const kind = results[0].violation?.kind ?? 'holds'
    kinds[kind] = (kinds[kind] ?? 0) + 1
    expect(`${say[0]} ${say[1]} ${violated ? 'violated' : 'holds'}`, `seed ${process.env.SEED} run ${n}\n${text}`).toMatch(/^(violated violated violated|holds holds holds)$/)
  }
  console.log(kinds)
}, 600000)
