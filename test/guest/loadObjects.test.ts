import { describe, expect, it } from 'vitest'
import * as reg from '../../src/cpu/registers.ts'
import { loadObjects } from '../../src/guest/loadObjects.ts'
import { formatLinkOptions, parseLinkOptions, parseVcpus } from '../../src/guest/linkOptions.ts'
import { EXECUTE, READ, WRITE, type MachineImage } from '../../src/smp/image.ts'
import { inputErrorOf, object, text } from './fixtures.ts'

/** The 32-bit word at a linear address of an image; throws outside every region. */
function word(image: MachineImage, address: number): number {
  const region = image.regions.find((r) => address >= r.start && address + 4 <= r.start + r.sizeBytes)!
  const byte = (n: number) => region.bytes[address - region.start + n] ?? 0
  return (byte(0) | (byte(1) << 8) | (byte(2) << 16) | (byte(3) << 24)) >>> 0
}
const addressOf = (image: MachineImage, name: string) =>
  image.symbols.find((symbol) => symbol.name === name)!.address

describe.each(['declarations-O0.o', 'declarations-O3.o'])('declarations of %s', (name) => {
  const image = loadObjects([object(name)])

  it('actors', () => {
    expect(image.vcpus.map((vcpu) => vcpu.name)).toEqual(['first', 'second', 'second'])
    expect(image.init![reg.EIP]).toBe(addressOf(image, 'start'))
    expect(image.final![reg.EIP]).toBe(addressOf(image, 'end'))
  })

  it('check points: one per macro, however often the code was copied; none for dropped code', () => {
    expect(image.points.map((point) => `${point.kind} ${point.text}`).sort()).toEqual(
      [
        'assert seen[n]',
        'assert shared == 1 && "quo\\"ted %d"',
        'assume shared == 1',
        'choose 2',
        'fail XM_FAIL()',
        'progress progress',
        'reach reach',
      ].sort(),
    )
    const source = text('test/guest/fixtures/declarations.c').split('\n')
    for (const point of image.points) {
      expect(point.file).toMatch(/declarations\.c$/)
      expect(source[point.line - 1]).toContain(`XM_${point.kind.toUpperCase()}`)
    }
  })

  it('interrupts and handlers', () => {
    expect(image.handledVectors).toEqual([2, 3, 0x40, 0x41])
    expect(image.interrupts.map(({ vcpu, vector, nmi, max }) => ({ vcpu, vector, nmi, max }))).toEqual([
      { vcpu: 1, vector: 0x40, nmi: false, max: 2 },
      { vcpu: 0, vector: 0x41, nmi: false, max: 0 },
      { vcpu: 1, vector: 0x41, nmi: false, max: 0 },
      { vcpu: 2, vector: 0x41, nmi: false, max: 0 },
      { vcpu: 2, vector: 2, nmi: true, max: 1 },
    ])
  })

  it('pCPUs, and where it is said who has one', () => {
    expect(image.knobs).toEqual({ pcpus: 2 })
    expect(image.stealTime).toEqual({ address: addressOf(image, 'steal'), strideBytes: 64 })
  })

  it('sites and objects', () => {
    const site = addressOf(image, 'the_site')
    const [left, right] = ['left', 'right'].map((target) => addressOf(image, target))
    expect(image.sites).toEqual([
      { name: 'the_site', address: site, sizeBytes: 5, targets: [left, right, site + 5], int3: false },
      {
        name: 'the_other',
        address: addressOf(image, 'the_other'),
        sizeBytes: 1,
        targets: [right],
        int3: true,
      },
    ])
    expect(word(image, site) & 0xff).toBe(0xe8)
    expect((word(image, site + 1) + site + 5) >>> 0).toBe(left)
    expect(image.objects).toEqual([{ name: 'seen', address: addressOf(image, 'seen'), sizeBytes: 12 }])
  })
})

it.each(['pcpus-nasm.o', 'pcpus-gas.o'])('pCPUs that assembly declares: %s', (name) => {
  const image = loadObjects([object(name)])
  expect([image.knobs, image.stealTime]).toEqual([{ pcpus: 1 }, { address: addressOf(image, 'flags'), strideBytes: 4 }])
})

describe('the environment', () => {
  const image = loadObjects([object('declarations-O3.o')])
  const registers = image.vcpus[1].registers

  it('registers', () => {
    expect(registers.length).toBe(reg.REGISTER_WORDS)
    expect(registers[reg.EFLAGS]).toBe(2)
    expect(registers[reg.CR0]).toBe(0x31)
    expect(registers[reg.EIP]).toBe(addressOf(image, 'second'))
  })

  it('a stack each, aligned as cdecl wants it, with the exit stub and the vCPU number', () => {
    const stacks = new Set<number>()
    image.vcpus.forEach((vcpu, n) => {
      const esp = vcpu.registers[reg.ESP]
      expect((esp + 4) % 16).toBe(0)
      expect(word(image, esp)).toBe(addressOf(image, 'xm:exit'))
      expect(word(image, esp + 4)).toBe(n)
      const region = image.regions.find((r) => esp >= r.start && esp < r.start + r.sizeBytes)!
      expect([region.sizeBytes, region.access]).toEqual([16384, READ | WRITE])
      expect(image.regions.some((r) => r.start + r.sizeBytes === region.start)).toBe(false)
      stacks.add(region.start)
    })
    expect(stacks.size).toBe(3)
  })

  it('the exit stub is guest call 0', () => {
    const exit = addressOf(image, 'xm:exit')
    expect(word(image, exit) & 0xffffff).toBe(0x801f0f)
    expect(word(image, exit + 3)).toBe(0x584d0000)
  })

  it('every hidden segment register is what its descriptor says', () => {
    for (const vcpu of image.vcpus)
      for (const which of [reg.ES, reg.CS, reg.SS, reg.DS, reg.FS, reg.GS, reg.TR]) {
        const selector = vcpu.registers[reg.SELECTOR + which]
        expect(selector + 7).toBeLessThanOrEqual(vcpu.registers[reg.GDT_LIMIT])
        const low = word(image, vcpu.registers[reg.GDT_BASE] + selector)
        const high = word(image, vcpu.registers[reg.GDT_BASE] + selector + 4)
        const base = ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0
        const limit = (low & 0xffff) | (high & 0xf0000)
        const attributes = (high >>> 8) & 0xf0ff
        const scaled = attributes & 0x8000 ? limit * 4096 + 4095 : limit
        expect([base, scaled, attributes]).toEqual([
          vcpu.registers[reg.SEG_BASE + which] >>> 0,
          vcpu.registers[reg.SEG_LIMIT + which] >>> 0,
          vcpu.registers[reg.SEG_ATTR + which],
        ])
      }
  })

  it('the area at GS names its vCPU', () => {
    image.vcpus.forEach((vcpu, n) => {
      const area = vcpu.registers[reg.SEG_BASE + reg.GS]
      expect([word(image, area), word(image, area + 4)]).toEqual([n, area])
    })
  })

  it('gates lead to the wrapping stub, to a raw handler, or to the stub for the unhandled', () => {
    const gate = (vector: number) => {
      const at = registers[reg.IDT_BASE] + vector * 8
      expect(word(image, at) >>> 16).toBe(0x08)
      expect(word(image, at + 4) & 0xffff).toBe(0x8e00)
      return ((word(image, at) & 0xffff) | (word(image, at + 4) & 0xffff0000)) >>> 0
    }
    expect(registers[reg.IDT_LIMIT]).toBe(256 * 8 - 1)
    expect(gate(0x41)).toBe(addressOf(image, 'raw_handler'))
    expect(gate(3)).toBe(addressOf(image, 'xm:vector3:tick'))
    expect(gate(14)).toBe(addressOf(image, 'xm:unhandled'))
    // push $0; push $3; pusha; cld; push %esp; call tick; ...
    const stub = gate(3)
    expect(word(image, stub)).toBe(0x0368006a)
    expect(word(image, stub + 7) & 0xffffff).toBe(0x54fc60)
    expect((word(image, stub + 11) + stub + 15) >>> 0).toBe(addressOf(image, 'tick'))
  })

  it('code may be written, constants may not, and address 0 is not there', () => {
    const access = (address: number) =>
      image.regions.find((r) => address >= r.start && address < r.start + r.sizeBytes)?.access
    expect(access(addressOf(image, 'first'))).toBe(READ | WRITE | EXECUTE)
    expect(access(image.points[0].id)).toBe(READ)
    expect(access(addressOf(image, 'seen'))).toBe(READ | WRITE)
    expect(access(0)).toBeUndefined()
  })

  it('regions are whole pages, sorted and disjoint', () => {
    let end = 0
    for (const region of image.regions) {
      expect(region.start % 4096).toBe(0)
      expect(region.sizeBytes % 4096).toBe(0)
      expect(region.start).toBeGreaterThanOrEqual(end)
      expect(region.bytes.length).toBeLessThanOrEqual(region.sizeBytes)
      end = region.start + region.sizeBytes
    }
  })
})

describe('options', () => {
  const relink = [object('examples/relink.o')]

  it('chooses entry functions by name', () => {
    const image = loadObjects(relink, { vcpus: ['patcher_bytes', 'executor', 'executor'] })
    expect(image.vcpus.map((vcpu) => vcpu.name)).toEqual(['patcher_bytes', 'executor', 'executor'])
    expect(image.vcpus[0].registers[reg.EIP]).toBe(addressOf(image, 'patcher_bytes'))
    expect(inputErrorOf(() => loadObjects(relink, { vcpus: ['patchr'] })).message).toContain('functions are')
    expect(inputErrorOf(() => loadObjects([object('helpers.o')], { init: 'divisor' })).what).toBe(
      'is not a function',
    )
  })

  it('moves the environment out of the way of what the user places', () => {
    const placements = [
      { section: '.text.executor', address: 0x10000 },
      { section: '.text', address: 0x13000 },
    ]
    const image = loadObjects(relink, { placements })
    expect(addressOf(image, 'relink_site')).toBe(0x10000)
    expect(image.regions.find((region) => region.start === 0x10000)!.name).toBe('.text.executor')
  })

  it('survives as text', () => {
    const options = {
      placements: [
        { section: '.text.site', address: 0xfffff003 },
        { symbol: 'a=b'.slice(0, 1), address: 7 },
      ],
      vcpus: ['patcher', 'executor', 'executor'],
      init: null,
      final: 'check',
    }
    expect(parseLinkOptions(formatLinkOptions(options))).toEqual(options)
    expect(parseVcpus('patcher,executor*3')).toEqual(['patcher', 'executor', 'executor', 'executor'])
    for (const bad of ['', 'a,,b', 'a*0', 'a*', 'a b'])
      expect(inputErrorOf(() => parseVcpus(bad)).what).not.toBe('')
    expect(inputErrorOf(() => parseLinkOptions(['--color never'])).what).toContain('--color')
  })

  it('sources come through the callback, once a file', () => {
    const asked: string[] = []
    const image = loadObjects(relink, { readSource: (path) => (asked.push(path), text(path)) })
    expect(asked).toEqual([...new Set(asked)])
    expect(asked).toContain('examples/relink.c')
    const entry = image.lines.find((line) => line.address === addressOf(image, 'relink_site'))!
    expect(image.sources[entry.file][entry.line - 1]).toContain('XM_CALL_SITE(relink_site, old_target)')
  })
})

describe('examples', () => {
  const names = [
    'relink',
    'ticket',
    'ticket-broken',
    'sb',
    'sb-fence',
    'textpoke',
    'textpoke-nosync',
    'textpoke-gas',
    'textpoke-nasm',
    'spinlock',
    'mailbox',
  ]
  it.each(names)('%s loads, and every check point has its line', (name) => {
    const image = loadObjects([object(`examples/${name}.o`)])
    expect(image.vcpus.length).toBeGreaterThan(1)
    expect(image.lines.length).toBeGreaterThan(5)
    for (const point of image.points) {
      expect(point.file).toMatch(/^examples\//)
      expect(text(point.file).split('\n')[point.line - 1]).toMatch(/XM_/)
    }
  })

  it('the patchers of relink.c make the stores they are named after', () => {
    const image = loadObjects([object('examples/relink.o')])
    const code = (name: string) => {
      const symbol = image.symbols.find((candidate) => candidate.name === name)!
      const region = image.regions.find(
        (r) => symbol.address >= r.start && symbol.address < r.start + r.sizeBytes,
      )!
      const at = symbol.address - region.start
      return Buffer.from(region.bytes.subarray(at, at + symbol.sizeBytes)).toString('hex')
    }
    const site = addressOf(image, 'relink_site')
    const le = (value: number) => Buffer.from(Uint32Array.of(value).buffer).toString('hex')
    expect(code('patcher')).toContain('a3' + le(site + 1)) // mov %eax, site+1
    expect(code('patcher_copy')).toMatch(new RegExp(`a3${le(site)}.*a2${le(site + 4)}`)) // mov %eax, site; mov %al, site+4
    expect(code('patcher_bytes')).toContain('88') // mov %cl, site-1(%eax), in a loop
    expect(code('patcher_bytes')).toContain(le(site - 1))
  })
})
