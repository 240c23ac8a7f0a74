import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { checkImage } from '../../../src/explore/check.ts'
import * as reg from '../../../src/cpu/registers.ts'
import { assembleImage } from '../../../src/guest/asm/index.ts'
import { directiveNames } from '../../../src/guest/asm/declarations.ts'
import { CALL_SYNTAX } from '../../../src/guest/asm/guestCalls.ts'
import { InputError } from '../../../src/guest/inputError.ts'
import { makeModel } from '../../../src/smp/model.ts'

const SCENARIO = `
.title "relink"
.vcpu patcher
.vcpu caller, 2
.init prepare
.final judge
.handler 3, breakpoint
.irq all, 0x40, tick, 2
.nmi 1, tock
.site caller.site, 5, old, new, next, int3
.object shared, 4
patcher: mov dword [caller.site + 1], new - (caller.site + 5)
  ret
caller:
.site: call old
  assert "came back"
  reach "end"
  log eax, "value"
  ret
old: ret
new: ret
prepare: ret
judge: ret
breakpoint: iret
tick: iret
tock: iret
section .data
shared: dd 0
`

describe('a scenario in one text', () => {
  const image = assembleImage(SCENARIO, { file: 'relink.asm' })
  const symbol = (name: string) => image.symbols.find((found) => found.name === name)!.address

  test('vCPUs, init and final start where the directives say', () => {
    expect(image.title).toBe('relink')
    expect(image.vcpus.map(({ name, registers }) => [name, registers[reg.EIP]])).toEqual([
      ['patcher', symbol('patcher')],
      ['caller', symbol('caller')],
      ['caller', symbol('caller')],
    ])
    expect(image.init![reg.EIP]).toBe(symbol('prepare'))
    expect(image.final![reg.EIP]).toBe(symbol('judge'))
  })

  test('handlers, interrupts, sites, objects and check points', () => {
    expect(image.handledVectors).toEqual([2, 3, 64])
    expect(image.interrupts.map(({ vcpu, vector, nmi, max }) => [vcpu, vector, nmi, max])).toEqual([
      [0, 64, false, 2],
      [1, 64, false, 2],
      [2, 64, false, 2],
      [1, 2, true, 1],
    ])
    const site = symbol('caller.site')
    expect(image.sites).toEqual([
      {
        name: 'caller.site',
        address: site,
        sizeBytes: 5,
        targets: [symbol('old'), symbol('new'), site + 5],
        int3: true,
      },
    ])
    expect(image.objects).toEqual([{ name: 'shared', address: symbol('shared'), sizeBytes: 4 }])
    expect(image.points.map(({ id, kind, text, line }) => [id, kind, text, line])).toEqual([
      [1, 'assert', 'came back', 16],
      [2, 'reach', 'end', 17],
    ])
  })

  test('lines and the source travel with the image', () => {
    const entry = image.lines.find(({ address }) => address === symbol('caller.site'))!
    expect(image.sources[entry.file][entry.line - 1]).toBe('.site: call old')
  })

  test('code may be patched, data may not be executed', () => {
    const accessAt = (address: number) =>
      image.regions.find(({ start, sizeBytes }) => address >= start && address < start + sizeBytes)!.access
    expect(accessAt(symbol('caller'))).toBe(7)
    expect(accessAt(symbol('shared'))).toBe(3)
  })

  test('the gate of a handler leads straight to it', () => {
    const idt = symbol('xm:idt')
    const region = image.regions.find(({ start, sizeBytes }) => idt >= start && idt < start + sizeBytes)!
    const view = new DataView(region.bytes.buffer, region.bytes.byteOffset)
    const at = idt - region.start + 3 * 8
    expect(view.getUint16(at, true) | (view.getUint16(at + 6, true) << 16)).toBe(symbol('breakpoint'))
  })

  test('a program without a vCPU is refused', () => {
    expect(() => assembleImage('nop')).toThrow(InputError)
  })

  test('declares how many pCPUs there are, once', () => {
    expect(assembleImage('.vcpu a, 3\n.pcpus 2\na: ret').knobs).toEqual({ pcpus: 2 })
    expect(assembleImage('.vcpu a\na: ret').knobs).toBeUndefined()
    expect(() => assembleImage('.vcpu a\n.pcpus 1\n.pcpus 2\na: ret')).toThrow('.pcpus is already 1')
    expect(() => assembleImage('.vcpu a\n.pcpus 0\na: ret')).toThrow('The number of pCPUs')
    expect(() => assembleImage('.vcpu a\n.steal a, 1\n.steal a, 1\na: ret')).toThrow('There is a .steal already')
    expect(() => assembleImage('.vcpu a, 2\n.steal x, 4096\na: ret\nsection .data\nx: db 0')).toThrow('.steal has no byte that can be written for vCPU 1')
  })

  test('has as many vCPUs as masks of them have bits, the last of which is a vCPU like any other', () => {
    const racing = (last: number) => `.vcpu first\n.vcpu idle, ${last - 1}\n.vcpu first\n.final end\nfirst: inc dword [x]\nidle: ret\nend: xor eax, eax\ncmp dword [x], 2\nsete al\nassert eax\nret\nsection .data\nx: dd 0`
    expect(checkImage(assembleImage(racing(30)), makeModel()).violation?.kind).toBe('assertion')
    expect(() => assembleImage(racing(31))).toThrow('More than 31 vCPUs')
  })

  test('values from outside are recorded with the image', () => {
    const { linkOptions } = assembleImage('.vcpu a\na: mov eax, n', { symbols: { n: 5 } })
    expect(linkOptions).toEqual(['--define n=5'])
  })
})

describe('the reference, docs/assembly.md', () => {
  const reference = readFileSync(new URL('../../../docs/assembly.md', import.meta.url), 'utf8')

  test('its example assembles, and the site is where it says', () => {
    const example = /\n```\n([^]*?)\n```\n/.exec(reference)![1]
    const site = assembleImage(example).sites[0]
    expect((site.address + 1) % 64).toBe(62)
    expect(site.targets.length).toBe(2)
  })

  test('it names every directive and every call with its operands', () => {
    for (const name of directiveNames()) expect(reference).toContain(`\`${name} `)
    for (const [name, { values, point, logs }] of Object.entries(CALL_SYNTAX)) {
      const text = point === null && !logs ? [] : point === 'choose' ? [] : ['"text"']
      expect(reference).toContain(`\`${[name, [...values, ...text].join(', ')].join(' ').trim()}\``)
    }
  })
})
