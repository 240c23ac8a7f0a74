// Mutants are made from machine code, piece by piece; the property of a sound protocol notices the pieces that it needs.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { loadObjects } from '../../src/guest/loadObjects.ts'
import { mutantsOf } from '../../src/mutation/mutants.ts'
import type { MachineImage } from '../../src/smp/image.ts'
import { makeModel } from '../../src/smp/model.ts'

const object = (path: string): MachineImage => loadObjects([{ name: path, bytes: new Uint8Array(readFileSync(new URL(`../../${path}`, import.meta.url))) }], { title: path })

/** The code between two labels as one function. */
function functionOf(body: string): MachineImage {
  const image = assembleImage(`.vcpu go\ngo: ${body}\nend: ret\nsection .data\nx: dd 0\ny: dd 0`, { title: 'pieces' })
  const at = (name: string) => image.symbols.find((symbol) => symbol.name === name)!.address
  return { ...image, symbols: [...image.symbols, { name: 'go', address: at('go'), sizeBytes: at('end') - at('go'), kind: 'function' }] }
}
const kinds = (body: string) => mutantsOf(functionOf(body)).map((one) => one.kind)

describe('mutants', () => {
  it('are one for each piece', () => {
    expect(kinds('mov [x], eax')).toEqual(['store removed'])
    expect(kinds('mov [x], eax\nmov [y], ecx')).toEqual(['store removed', 'stores swapped', 'store removed'])
    expect(kinds('mov [x], eax\nmov [x], ecx')).toEqual(['store removed', 'store removed'])
    expect(kinds('lock inc dword [x]')).toEqual(['LOCK removed'])
    expect(kinds('lock add dword [esp], 0')).toEqual(['fence removed'])
    expect(kinds('mfence\nlfence\nsfence')).toEqual(['mfence removed', 'lfence removed', 'sfence removed'])
    expect(kinds('cpuid\ninvlpg [x]\nwbinvd')).toEqual(['cpuid removed', 'invlpg removed', 'wbinvd removed'])
    expect(kinds('mov cr3, eax')).toEqual(['MOV to CR3 removed'])
    expect(kinds('cli\nsti')).toEqual(['CLI removed', 'STI removed'])
    expect(kinds('ipi 0, 0x40\nkick 0\nnmi 0')).toEqual(['IPI removed', 'kick removed', 'NMI removed'])
    expect(kinds('jz near go\njnz short go')).toEqual(['branch never taken', 'branch always taken', 'branch never taken', 'branch always taken'])
    expect(kinds('pushfd\npush cs\npush dword sync\niretd\nsync: nop')).toEqual(['core synchronisation removed'])
    // Loads, the stack and registers are no pieces.
    expect(kinds('mov eax, [x]\ncmp dword [x], 1\npush eax\nmov [esp], eax\nadd eax, ecx\npop eax')).toEqual([])
  })

  it('change only what they say', () => {
    const image = functionOf('lock inc dword [x]\nmov [y], eax')
    const [unlocked, removed] = mutantsOf(image)
    const bytes = (one: MachineImage) => [...one.regions.find((region) => region.name === '.text')!.bytes]
    const differences = (one: MachineImage) => bytes(one).flatMap((byte, k) => (byte === bytes(image)[k] ? [] : [byte]))
    expect(differences(unlocked.image)).toEqual([0x3e])
    expect(new Set(differences(removed.image))).toEqual(new Set([0x90]))
  })

  it('of the fenced store-buffering test are noticed', () => {
    const image = object('examples/sb-fence.o')
    const fates = mutantsOf(image).map((mutant) => `${mutant.kind}: ${checkImage(mutant.image, makeModel()).verdict}`)
    expect(fates).toContain('mfence removed: violated')
    expect(fates).not.toContain('mfence removed: holds')
  })
})
