// Names of the library of blocks, and calls as C makes them.
import { describe, expect, it } from 'vitest'
import { assembleBytes, assembleImage, AssemblyError } from '../../../src/guest/asm/index.ts'
import { inputErrorOf } from '../fixtures.ts'

const hex = (source: string) => Buffer.from(assembleBytes(source)).toString('hex')
const mistakeOf = (source: string): string => {
  try {
    assembleBytes(source)
  } catch (error) {
    if (error instanceof AssemblyError) return error.message
    throw error
  }
  throw new Error('there was no mistake')
}

describe('invoke', () => {
  it('pushes from the last to the first, calls, and takes away', () => {
    expect(hex('f: ret\ninvoke f, eax, [ebx], 7')).toBe(hex('f: ret\npush 7\npush dword [ebx]\npush eax\ncall f\nadd esp, 12'))
    expect(hex('f: ret\nl: invoke f\njmp l')).toBe(hex('f: ret\nl: call f\njmp l'))
  })
  it('refuses what would not mean what it says', () => {
    expect(mistakeOf('f: ret\ninvoke f, [esp + 4]')).toMatch(/ESP moves/)
    expect(mistakeOf('invoke')).toMatch(/Write invoke FUNCTION/)
    expect(mistakeOf('f: ret\ntimes 2 invoke f')).toMatch(/times cannot repeat/)
  })
})

describe('names that are supplied', () => {
  const program = (body: string, more = '') => assembleImage(`.vcpu a\na: ${body}\n ret\n${more}`)
  it('are linked where they are used', () => {
    expect(program('nop').symbols.some(({ name }) => name === 'xm_text_poke')).toBe(false)
    const { symbols, regions } = program('invoke xm_sync_core')
    const at = symbols.find(({ name }) => name === 'xm_sync_core')!.address
    expect(regions.some((one) => at >= one.start && at < one.start + one.sizeBytes)).toBe(true)
  })
  it('give way to those of the program', () => {
    const { symbols } = program('invoke xm_sync_core', 'xm_sync_core: ret')
    expect(symbols.filter(({ name }) => name === 'xm_sync_core').length).toBe(1)
    expect(symbols.some(({ name }) => name === 'xm_text_poke')).toBe(false)
  })
  it('need their place', () => {
    expect(inputErrorOf(() => program('invoke xm_sync_core', 'section .data 0x300000\ndd 1')).message).toMatch(/\.data is where the building blocks go/)
  })
})
