import { describe, expect, it } from 'vitest'
import { loadObjects } from '../../src/guest/loadObjects.ts'
import { inputErrorOf, object } from './fixtures.ts'

const load = (name: string) => inputErrorOf(() => loadObjects([object(name)]))
/** A copy of an object with some bytes changed: offset to byte. */
const patched = (name: string, changes: Record<number, number>) => {
  const { bytes } = object(name)
  for (const [offset, value] of Object.entries(changes)) bytes[Number(offset)] = value
  return inputErrorOf(() => loadObjects([{ name, bytes }]))
}

describe('an unusable object: what is wrong, and what to change', () => {
  it.each([
    ['x86-64.o', 'is a 64-bit object', 'gcc -m32'],
    ['pic.o', 'position-independent code', '-fno-pic'],
    ['no-entry.o', 'there is no entry point', 'XM_VCPU(function)'],
    ['tls.o', 'thread-local', 'per-vCPU area'],
    ['constructor.o', 'constructors', 'XM_INIT'],
    [
      'unresolved.o',
      "unresolved symbol 'gone' (from f() in unresolved.o)",
      'give the object that defines it',
    ],
    ['unresolved.o', "'missing' (from f()", 'no C library'],
    ['protector.o', '__stack_chk_fail', '-fno-stack-protector'],
    ['two-handlers.o', 'vector 3 has two handlers, g and h', 'share one IDT'],
    ['two-pcpus.o', 'is for 2 pCPUs; 1 are declared', 'declare them once'],
    ['small-steal.o', 'has no byte that can be written for vCPU 1', 'declare an array of 2'],
    ['own-vcpu.o', "own 'word[1]' (line 6): there is no vCPU 1", 'the program has 1'],
    ['wide-belief.o', 'has 8 bytes', '1, 2 or 4 bytes'],
    ['strange-belief.o', 'is about number 99', 'XM_IS_CR0'],
    ['wrong-vcpu.o', 'there is no vCPU 5', 'the program has 1'],
  ])('%s: %s', (name, what, remedy) => {
    const error = load(name)
    expect(error.file).toBe(name)
    expect(error.what).toContain(what)
    expect(error.remedy).toContain(remedy)
  })

  it.each<[string, Record<number, number>, string]>([
    ['not ELF', { 0: 0 }, 'is not an ELF file'],
    ['big-endian', { 5: 2 }, 'big-endian'],
    ['another machine', { 18: 40 }, 'is for ELF machine 40'],
    ['linked program', { 16: 2 }, 'is a linked program'],
    ['core file', { 16: 4 }, 'ELF type 4'],
    ['section headers elsewhere', { 35: 0x7f }, 'is cut short'],
    ['strange section headers', { 46: 41 }, 'section headers of 41 bytes'],
    ['no sections', { 48: 0, 49: 0 }, 'has no section headers'],
    ['no names', { 50: 0, 51: 0 }, 'no table of section names'],
  ])('%s', (_name, changes, what) => {
    expect(patched('examples/sb.o', changes).what).toContain(what)
  })

  it('an archive', () => {
    const bytes = new TextEncoder().encode('!<arch>\nx.o/            0           0     0     644')
    expect(inputErrorOf(() => loadObjects([{ name: 'lib.a', bytes }])).message).toContain('ar x')
  })

  it('nothing at all', () => {
    expect(inputErrorOf(() => loadObjects([])).what).toContain('nothing to link')
    expect(inputErrorOf(() => loadObjects([{ name: 'empty.o', bytes: new Uint8Array(0) }])).what).toContain(
      'not an ELF',
    )
  })

  it('a name that two objects define', () => {
    const twice = [object('link-a.o'), { ...object('link-a.o'), name: 'copy.o' }]
    const error = inputErrorOf(() => loadObjects(twice))
    expect([error.file, error.what]).toEqual([
      'copy.o',
      expect.stringContaining('which link-a.o defines too'),
    ])
  })

  /** Replaces every relocation type of an object's section: type bytes stand at offset 4 of each 8-byte entry. */
  const withRelocationType = (type: number) => {
    const copy = object('examples/sb.o').bytes
    const view = new DataView(copy.buffer)
    const start = view.getUint32(32, true)
    for (let n = 0; n < view.getUint16(48, true); n++) {
      const header = start + n * 40
      const target = view.getUint32(header + 28, true)
      if (view.getUint32(header + 4, true) !== 9) continue
      if ((view.getUint32(start + target * 40 + 8, true) & 2) === 0) continue
      const offset = view.getUint32(header + 16, true)
      for (let at = 0; at < view.getUint32(header + 20, true); at += 8) copy[offset + at + 4] = type
    }
    return inputErrorOf(() => loadObjects([{ name: 'changed.o', bytes: copy }]))
  }
  it.each([
    [3, 'R_386_GOT32', '-fno-pic'],
    [43, 'R_386_GOT32X', '-fno-pic'],
    [10, 'R_386_GOTPC', '-fno-pic'],
    [17, 'R_386_TLS_LE', 'thread-local'],
    [99, 'type 99', 'damaged'],
  ])('relocation type %i is refused by name', (type, name, remedy) => {
    const error = withRelocationType(type)
    expect(error.what).toContain(`relocation ${name} against`)
    expect(error.remedy).toContain(remedy)
  })
  it('a relocation whose value does not fit', () => {
    expect(withRelocationType(22).what).toMatch(/R_386_8 against .* does not fit into 1 byte$/)
  })
})
