import { describe, expect, it } from 'vitest'
import { AddressSpace } from '../../src/guest/addressSpace.ts'
import { link } from '../../src/guest/elf/link.ts'
import { formatPlacement, parsePlacement } from '../../src/guest/elf/placement.ts'
import { RUNTIME } from '../../src/guest/runtime/library.ts'
import { inputErrorOf, ldResults, object, type LdResult } from './fixtures.ts'

const linkAs = (result: LdResult) =>
  link(result.objects.map(object), RUNTIME, result.placements.map(parsePlacement), new AddressSpace())

/** Bytes of a section with its zero tail, in hexadecimal. */
function hexOf(section: { bytes: Uint8Array; sizeBytes: number }): string {
  const whole = new Uint8Array(section.sizeBytes)
  whole.set(section.bytes)
  return Buffer.from(whole).toString('hex')
}

describe('the linker against GNU ld', () => {
  const comparable = Object.entries(ldResults).filter(([name]) => !name.startsWith('dwarf'))
  it.each(comparable)('%s: equal section contents', (_name, result) => {
    const program = linkAs(result)
    const contents = Object.fromEntries(program.sections.map((section) => [section.name, hexOf(section)]))
    for (const [name, bytes] of Object.entries(result.contents))
      expect([name, contents[name]]).toEqual([name, bytes])
  })

  it.each(comparable)('%s: equal symbol addresses', (_name, result) => {
    const program = linkAs(result)
    const symbols = new Map(program.symbols.map((symbol) => [symbol.name, symbol.address]))
    for (const [name, address] of Object.entries(result.symbols))
      if (!name.startsWith('__st')) expect([name, symbols.get(name)]).toEqual([name, address])
  })

  const dwarf = Object.entries(ldResults).filter(([name]) => name.startsWith('dwarf'))
  it.each(dwarf)('%s: equal line tables', (_name, result) => {
    const rows = linkAs(result).lines.map((row) => [row.address, row.end ? 0 : row.line])
    expect(result.lines.length).toBeGreaterThan(10)
    expect(rows).toEqual(result.lines)
  })

  it.each(dwarf)('%s: paths as the compiler recorded them', (_name, result) => {
    expect(new Set(linkAs(result).lines.map((row) => row.file))).toEqual(new Set(['lines.c']))
  })
})

describe('placement', () => {
  const inputs = [object('examples/relink.o')]
  const place = (...texts: string[]) => link(inputs, RUNTIME, texts.map(parsePlacement), new AddressSpace())

  it('puts a symbol at any address, whatever its section is aligned to', () => {
    for (const address of [0x101003, 0x10103e, 0xfffff001, 0x5]) {
      const program = place(formatPlacement({ symbol: 'relink_site', address }))
      expect(program.addressOf('relink_site')).toBe(address)
    }
  })

  it('spans the whole address space', () => {
    const program = place(
      'symbol:relink_site=0x80000ffd',
      '.text.old_target=0x10',
      '.text.new_target=0xfffffff0',
    )
    expect(program.addressOf('old_target')).toBe(0x10)
    expect(program.addressOf('new_target')).toBe(0xfffffff0)
    const site = program.sections.find(
      (section) => section.address <= 0x80000ffd && section.name === '.text.executor',
    )!
    const call = site.bytes.subarray(0x80000ffd - site.address).subarray(0, 5)
    expect(Buffer.from(call).toString('hex')).toBe('e80ef0ff7f') // 0x10 - 0x80001002
  })

  it('keeps what is not placed off the pages of what is', () => {
    const program = place('.text.new_target=0x100800')
    const placed = program.sections.find((section) => section.address === 0x100800)!
    for (const section of program.sections)
      if (section !== placed) expect(Math.floor(section.address / 4096)).not.toBe(0x100)
  })

  it('says what is wrong with a placement', () => {
    expect(inputErrorOf(() => place('.text.nothing=0x1000')).message).toContain(
      'there is no section .text.nothing',
    )
    expect(inputErrorOf(() => place('symbol:nobody=0x1000')).message).toContain("no object defines 'nobody'")
    expect(inputErrorOf(() => place('.text.old_target=0x1000', '.text.new_target=0x1000')).message).toContain(
      'overlaps .text.old_target',
    )
    expect(
      inputErrorOf(() => place('symbol:patcher=0x1000', 'symbol:patcher_copy=0x2000')).message,
    ).toContain('are in one section')
    expect(inputErrorOf(() => place('.text=0xffffffff')).message).toContain('wrap round')
    for (const text of ['.text', '.text=', '=0x1', '.text=0x100000000', '.text=12345678901', '.text=1x'])
      expect(inputErrorOf(() => place(text)).message).toContain('SECTION=ADDRESS')
  })
})

describe('labels, which have no size', () => {
  const reachesOf = (path: string) => {
    const { symbols } = link([object(path)], RUNTIME, [], new AddressSpace())
    return (name: string) => {
      const { address, sizeBytes } = symbols.find((symbol) => symbol.name === name)!
      return { sizeBytes, next: Math.min(...symbols.map((one) => one.address).filter((one) => one > address)) - address }
    }
  }
  it.each(['gas', 'nasm'])('reach up to the next symbol: %s', (assembler) => {
    const reach = reachesOf(`examples/textpoke-${assembler}.o`)
    for (const name of ['old_target', 'new_target', 'patcher']) {
      const { sizeBytes, next } = reach(name)
      expect([name, sizeBytes]).toEqual([name, next])
    }
  })
  it('are one place inside a function that has a size', () => {
    expect(reachesOf('examples/textpoke.o')('poke_site').sizeBytes).toBe(0)
  })
})

describe('the supplied library', () => {
  it('brings in what is referred to, and nothing else', () => {
    const program = link([object('helpers.o')], RUNTIME, [], new AddressSpace())
    const names = program.symbols.map((symbol) => symbol.name)
    expect(names).toEqual(expect.arrayContaining(['memcpy', 'memset', '__udivdi3', '__moddi3']))
    expect(names).not.toContain('memcmp')
    const ticket = link([object('examples/ticket.o')], RUNTIME, [], new AddressSpace())
    expect(ticket.symbols.some((symbol) => symbol.name.startsWith('mem'))).toBe(false)
  })

  it('each member defines what it says and needs nothing', () => {
    for (const member of RUNTIME) {
      const read = member.read()
      const globals = read.symbols.filter((symbol) => symbol.binding !== 0).sort((a, b) => (a.name < b.name ? -1 : 1))
      expect(globals.map((symbol) => [symbol.name, symbol.place])).toEqual(member.defines.map((name) => [name, 'section']))
    }
  })
})
