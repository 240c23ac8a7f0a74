// Reference programs with the counts that two other tools agree on; waits and what only looks like one.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { DporSearch } from '../../src/explore/dpor/search.ts'
import { assembleImage, checkImage } from '../../src/index.ts'
import type { MachineImage } from '../../src/smp/image.ts'
import { Machine } from '../../src/smp/machine.ts'
import { PageMap } from '../../src/smp/memory.ts'
import { makeModel, type Model } from '../../src/smp/model.ts'
import { Sharing } from '../../src/smp/sharing.ts'
import { programAt } from '../programs.ts'

const folder = fileURLToPath(new URL('../../examples/explore/', import.meta.url))
const rows = readFileSync(`${folder}rows.txt`, 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split(' '))
/** More are counted by `xmcheck bench explore`. */
const EXECUTIONS_MAX = 3200
const slow = new Set(['ttas-n5-m1', 'ttas-n6-m1', 'ticket-n6-m1'])

function explore(image: MachineImage, model: Model, events = 2_000_000): DporSearch {
  const pages = new PageMap(image.regions)
  const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
  const search = new DporSearch(() => new Machine(image, model, { sharing, pages }), { events })
  while (search.advance());
  return search
}
const object = (name: string) => programAt(`examples/explore/${name}.o`)

describe.each(['sc', 'tso'])('reference programs under %s', (memory) => {
  const column = memory === 'sc' ? 1 : 2
  const small = rows.filter((row) => !(Number(row[column]) > EXECUTIONS_MAX) && !slow.has(row[0]))
  it.each(small.map((row) => [row[0], row[column], row[column + 2]]))('%s: %s', (name, expected, discarded) => {
    const search = explore(object(name), makeModel({ memory }))
    const { violation, reasons } = search.verdict()
    const counts = search.counts()
    if (expected === 'deadlock') return expect(violation?.kind).toBe('deadlock')
    expect([violation, reasons, counts.redundant]).toEqual([null, [], 0])
    if (expected === 'complete') return
    expect(counts.complete).toBe(Number(expected))
    if (discarded !== '-') expect(counts.discarded).toBeLessThanOrEqual(Number(discarded))
  })
})

describe('what was planned together, where nothing decided its order,', () => {
  const count = (...programs: string[]) => {
    const text = programs.map((body, v) => `.vcpu p${v}\np${v}:\n${body.split(';').map((line) => ` ${line}\n`).join('')} ret\n`).join('')
    return explore(assembleImage(`${text}section .data\nalign 4\nx: dd 0\ny: dd 0\n`, { title: 'orders' }), makeModel()).counts()
  }

  it('is reversed where what came first has nothing to do with it', () => {
    // Either order of the stores to x, and of y and its load.
    expect(count('mov dword [y], 1', 'mov dword [x], 1', 'mov dword [x], 3;mov eax, [y]')).toEqual({ complete: 4, cut: 0, discarded: 0, redundant: 0, endless: 0 })
  })

  it('is reversed again in each of several plans', () => {
    const counts = count(
      'mov eax, [x];mov dword [y], 3;mov dword [x], 1;mov dword [x], 1', 'mov dword [x], 6', 'mov dword [y], 11;mov dword [y], 11;mov eax, [x]', 'mov dword [y], 13',
    )
    expect(counts).toEqual({ complete: 192, cut: 0, discarded: 0, redundant: 0, endless: 0 })
  })
})

describe('loops', () => {
  const wait = (body: string, setter = 'mov dword [x], 1', head = '') =>
    explore(
      assembleImage(`.vcpu p0\np0:\n${head}\nagain:\n${body}\n    ret\n.vcpu p1\np1:\n    ${setter}\n    ret\nsection .data\nalign 4\nx: dd 0\ny: dd 0\n`, { title: 'loop' }),
      makeModel(),
    )
  const spin = '    mov eax, [x]\n    test eax, eax\n    jz again'

  it('that read in vain are waits', () => {
    expect(wait(spin).counts()).toEqual({ complete: 1, cut: 0, discarded: 0, redundant: 0, endless: 0 })
    expect(wait(`    pause\n${spin}`).counts().complete).toBe(1)
    expect(wait(spin, 'mov dword [y], 1').verdict().violation?.kind).toBe('deadlock')
    expect(wait('    jmp again').verdict().violation?.kind).toBe('deadlock')
  })

  it('are waits although they call functions: what they leave in private memory is the same after each turn', () => {
    const call = '    call look\n    test eax, eax\n    jz again\n    ret\nlook:\n    push ebx\n    mov eax, [x]\n    pop ebx'
    expect(wait(call).counts()).toEqual({ complete: 1, cut: 0, discarded: 0, redundant: 0, endless: 0 })
    expect(wait(call, 'mov dword [y], 1').verdict().violation?.kind).toBe('deadlock')
  })

  it('that only work on private memory wait for nobody', () => {
    const work = wait('    call next\n    jmp again\nnext:')
    expect([work.verdict().verdict, work.counts().complete]).toEqual(['holds', 1])
  })

  it('are no waits when a register, a flag that is read, or a private word differs', () => {
    // It gives up after two looks in vain: the store comes before the first, between, or after both.
    const counted = '    dec ecx\n    jz done\n    mov eax, [x]\n    test eax, eax\n    jz again\ndone:'
    expect(wait(counted, undefined, '    mov ecx, 3').counts().complete).toBe(3)
    const onStack = '    dec dword [esp - 8]\n    jz done\n    mov eax, [x]\n    test eax, eax\n    jz again\ndone:'
    expect(wait(onStack, undefined, '    mov dword [esp - 8], 3').counts().complete).toBe(3)
    // The second turn takes the other way: CF.
    const carry = '    mov eax, [x]\n    jc done\n    stc\n    jmp again\ndone:'
    expect(wait(carry, undefined, '    clc').counts().complete).toBe(3)
  })

  it('are none where a vCPU that can be interrupted comes to a choice: it stands where it stood, but at the choice', () => {
    const unmapped = `.vcpu unmapper\n.vcpu user\n.init setup\n.handler 0xfd, flush\n.handler 14, skip
setup: mov dword [directory], 0xe3\nlea eax, [table + 0x63]\nmov [directory + 4], eax\nlea eax, [page + 0x63]\nmov [table], eax\nret
unmapper: xor eax, eax\nxchg [table], eax\nipi 1, 0xfd\nunmapped 0x400000, 4096\nret
user: mov eax, 0x10\nmov cr4, eax\nmov eax, directory\nmov cr3, eax\nmov eax, cr0\nor eax, 0x80000000\nmov cr0, eax\nsti\nnop\nmov eax, [0x400000]\nafter: cli\nret
skip: mov dword [esp + 4], after\nadd esp, 4\niret\nflush: push eax\nmov eax, cr3\nmov cr3, eax\npop eax\niret
section .data\nalign 4096\ndirectory: times 1024 dd 0\ntable: times 1024 dd 0\npage: times 1024 dd 0`
    expect(checkImage(assembleImage(unmapped, { title: 'choice' }), makeModel(), { engine: 'dpor' }).violation?.kind).toBe('stale-translation')
  })

  it('are no waits when they publish and withdraw', () => {
    const text = `.vcpu p0\np0:\nagain:\n    mov dword [y], 1\n    mov dword [y], 0\n    mov eax, [x]\n    test eax, eax\n    jz again\n    ret
.vcpu p1\np1:\n    mov eax, [y]\n    mov dword [x], 1\n    ret\nsection .data\nalign 4\nx: dd 0\ny: dd 0\n`
    expect(explore(assembleImage(text, { title: 'publish' }), makeModel(), 20_000).verdict().verdict).toBe('unknown')
  })
})

describe('assumptions', () => {
  // vCPU 0 is cut before anything is known to be shared: vCPU 1 makes the assumption hold all the same.
  const text = `.vcpu p0\np0:\n    mov eax, [x]\n    assume eax\n    mov eax, 0\n    assert eax\n    ret\n.vcpu p1\np1:\n    mov dword [x], 1\n    ret\nsection .data\nx: dd 0\n`
  it.each(['graph', 'dpor'] as const)('that fail at the start end nothing else: %s', (engine) => {
    expect(checkImage(assembleImage(text, { title: 'assume' }), makeModel(), { engine }).violation?.kind).toBe('assertion')
  })
})

describe('memory that turns out to be shared in the middle of a search', () => {
  // y is read only where z was seen: until then its store does not go through the buffer, and overtakes that of x.
  const text = `.vcpu p1\np1:\n    xor ebx, ebx\n    mov eax, [z]\n    test eax, eax\n    jz done\n    mov ebx, [y]\ndone:\n    mov ecx, [x]\n    test ebx, ebx
    jz out\n    assert ecx\nout:\n    ret\n.vcpu p0\np0:\n    mov dword [x], 1\n    mov dword [y], 1\n    ret\n.vcpu p2\np2:\n    mov dword [z], 1\n    ret
section .data\nx: dd 0\ny: dd 0\nz: dd 0\n`
  it.each(['graph', 'dpor', 'pct'] as const)('is no evidence: %s', (engine) => {
    expect(checkImage(assembleImage(text, { title: 'late' }), makeModel(), { engine }).violation).toBe(null)
  })
})

describe('what runs before the vCPUs start', () => {
  it.each([
    ['makes a choice', '    mov eax, 2\n    choose eax\n'],
    ['is long', '    mov ecx, 5000\nround: dec ecx\n    jnz round\n'],
  ])('is over before they do: it %s', (_, work) => {
    const look = 'look%: mov eax, [x]\n    assert eax\n    ret\n'
    const text = `.init first\n.vcpu look0\n.vcpu look1\nfirst:\n${work}    mov dword [x], 1\n    ret\n${look.replace('%', '0')}${look.replace('%', '1')}section .data\nx: dd 0\n`
    const image = assembleImage(text, { title: 'init' })
    expect((['dpor', 'graph'] as const).map((engine) => checkImage(image, makeModel(), { engine }).verdict)).toEqual(['holds', 'holds'])
  })
  it('is not gone back behind, though it changes what their walks start from, and what caches hold depends on that', () => {
    const pat = '    mov ecx, 0x277\n    mov eax, 0x70106\n    mov edx, eax\n    wrmsr\n'
    const on = `${pat}    mov eax, 0x10\n    mov cr4, eax\n    mov eax, dir\n    mov cr3, eax\n    mov eax, cr0\n    or eax, 0x80000000\n    mov cr0, eax\n`
    const text = `.init first\n.vcpu writes\n.vcpu waits\nfirst: mov ecx, 5000\nround: dec ecx\n    jnz round\n    mov eax, page\n    shr eax, 12\n    mov dword [low + eax * 4], 0\n    mov dword [table], page + 0x6b\n    ret
writes:\n${on}early: cmp dword [ready], 1\n    jne early\n    mov dword [0x400000], 1\n    ret
waits:\n${on}    mov dword [ready], 1\nagain: cmp dword [0x400000], 1\n    jne again\n    ret
section .data\nready: dd 0
section .tables\nalign 4096\ndir: dd low + 0x63, table + 0x63\ntimes 1022 dd 0\nlow:\n${Array.from({ length: 1024 }, (_, k) => `dd ${k * 4096 + 0x63}`).join('\n')}
table: times 1024 dd 0\npage: times 1024 dd 0\n`
    expect(checkImage(assembleImage(text, { title: 'init' }), makeModel(), { engine: 'dpor' }).violation).toBe(null)
  })
})

describe('budgets', () => {
  const check = (text: string, limits: { interrupts?: number; stale?: number }) =>
    checkImage(assembleImage(text, { title: 'budget' }), makeModel(), { engine: 'dpor', limits })
  const ticks = `.irq 0, 0x40, tick, 3\n.vcpu p0\np0:\n    sti\n    nop\n    nop\n    cli\n    cmp dword [n], 3\n    setne al\n    movzx eax, al\n    assert eax\n    ret
tick:\n    inc dword [n]\n    iret\nsection .data\nn: dd 0\n`
  // The writer stores to code and says so; whoever sees that may still execute what was there before.
  const told = `.vcpu w\n.vcpu r\nw:\n    mov byte [site + 1], 1\n    mov dword [x], 1\n    ret\nr:\n    mov edx, [x]\nsite: mov eax, strict dword 0
    test edx, edx\n    jz done\n    assert eax\ndone:\n    ret\nsection .data\nx: dd 0\n`

  it('of interrupts cover the executions with no more of them', () => {
    expect(check(ticks, {}).violation?.kind).toBe('assertion')
    expect(check(ticks, { interrupts: 3 }).violation?.kind).toBe('assertion')
    const two = check(ticks, { interrupts: 2 })
    expect([two.verdict, two.strength, two.bounds]).toEqual(['holds', 'bounded', { interrupts: 2 }])
  })

  it('of stale fetches count those that an event before them has overwritten', () => {
    expect(check(told, {}).violation?.kind).toBe('assertion')
    expect(check(told, { stale: 1 }).violation?.kind).toBe('assertion')
    const none = check(told, { stale: 0 })
    expect([none.verdict, none.strength, none.bounds]).toEqual(['holds', 'bounded', { 'stale fetches': 0 }])
  })

  it('of stale fetches do not count what was fetched as the events before have left it', () => {
    const synchronised = `.vcpu w\n.vcpu r\nw:\n    mov byte [site + 1], 1\n    mov dword [x], 1\n    ret\nr:\n    cmp dword [x], 1\n    jne done
    pushfd\n    push cs\n    push .synced\n    iret\n.synced:\n    call site\n    xor eax, 1\n    assert eax\ndone:\n    ret\nsite: mov eax, strict dword 0\n    ret
section .data\nx: dd 0\n`
    expect(check(synchronised, { stale: 0 }).violation?.kind).toBe('assertion')
    expect(check(synchronised.replace('xor eax, 1', ''), { stale: 0 })).toMatchObject({ verdict: 'holds', strength: 'complete' })
    // Written away and back, and all of it seen: of the two times that gave these bytes the later one is meant.
    const back = synchronised.replace('mov byte [site + 1], 1', 'mov byte [site + 1], 1\n    mov byte [site + 1], 0').replace(/pushfd[^]*synced:/, '')
    expect(check(back, { stale: 0 }).violation).toBe(null)
    expect(check(back.replace('xor eax, 1', 'cmp eax, 0\n    setne al\n    movzx eax, al'), { stale: 0 }).violation?.kind).toBe('assertion')
  })

  it('that nothing reaches leave the verdict complete', () => {
    expect(check(ticks.replace('tick, 3', 'tick, 1'), { interrupts: 2, stale: 0 }).strength).toBe('complete')
  })
})

describe('fetches that may be stale', () => {
  // Brute force finds 18 classes. In one p0 reads 3, after which p1 executes what it writes last: it is planned where the load of y sleeps, which the drain of y wakes.
  const text = `.vcpu p0\np0:\n    mov byte [site + 2], 3\n    mov [x], ecx\n    mov word [site + 2], 0x0404\n    movzx eax, byte [y]\n    mov [out], eax\n    ret
.vcpu p1\np1:\n    mov dword [y], 3\n    mov ecx, [x]\n    mov [x], cl\nsite:\n    mov edx, strict dword 0x01010101\n    mov [out + 16], eax\n    ret
section .data\nalign 64\nx: dd 0\ny: dd 0\nalign 64\nout: times 8 dd 0\n`
  it('are offered what was written, whoever sleeps there', () => {
    const search = explore(assembleImage(text, { title: 'stale' }), makeModel({ fetch: 'single' }))
    expect([search.verdict().verdict, search.counts().complete]).toEqual(['holds', 18])
  })

  // Brute force finds 4 classes: the other's write first, and fetched; or the own one, and then fetched, or not fetched and made before or after
  // what is stored last.
  const beside = `.vcpu p0\np0:\n    mov word [site + 2], 0x0404\n    ret\n.vcpu p1\np1:\n    mov byte [site], 0xb9\nsite:\n    mov eax, strict dword 0x01010101
    mov dword [site + 1], 0x02020202\n    ret\n`
  it('take the own write to code, which nobody else can fetch stale, in order with what others write beside it', () => {
    const search = explore(assembleImage(beside, { title: 'beside' }), makeModel({ fetch: 'single' }))
    expect([search.verdict().verdict, search.counts().complete]).toEqual(['holds', 4])
  })
})

describe('a compare that fails', () => {
  // A lock that would write where it comes earlier, past a load that sleeps there. Brute force finds 14 classes.
  const text = `.vcpu p0\np0:\n    mov dl, [x]\n    ret\n.vcpu p1\np1:\n    lock cmpxchg [x], ecx\n    ret\n.vcpu p2\np2:\n    mov dword [x + 2], 3\n    inc dword [x]\n    ret
section .data\nalign 64\nx: dd 0\ny: dd 0\n`
  it('may be one that succeeds', () => {
    expect(explore(assembleImage(text, { title: 'compare' }), makeModel({ cpu: 'pentium', memory: 'sc' })).counts().complete).toBe(14)
  })
})

describe('waits whose registers somebody looks at in the end', () => {
  it('are no waits where a turn in vain leaves something in them', () => {
    const text = `.vcpu p0\n.vcpu p1\np0:\n    mov eax, [x]\n    test eax, eax\n    jnz done\n    mov ecx, 5\n    jmp p0\ndone:\n    ret\np1:\n    mov dword [x], 1\n    ret\nsection .data\nx: dd 0\n`
    const image = assembleImage(text, { title: 'registers' })
    const ends = (looksAtRegisters: boolean) => {
      const pages = new PageMap(image.regions)
      const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
      const search = new DporSearch(() => new Machine(image, makeModel(), { sharing, pages, looksAtRegisters }))
      while (search.advance());
      return search.counts().complete
    }
    expect([ends(false), ends(true)]).toEqual([1, 2])
  })
})

describe('a store after a fence that had to wait', () => {
  // Another vCPU sees y, and writes z before vCPU 0 reads it.
  const text = (fence: string) => `.vcpu p0\n.vcpu p1\np0:\n    mov dword [x], 1\n    ${fence}\n    mov dword [y], 1\n    mov eax, [z]\n    cmp eax, 2\n    setne al\n    movzx eax, al\n    assert eax\n    ret
p1:\n    mov ecx, [x]\n    mov eax, [y]\n    test eax, eax\n    jz done\n    mov dword [z], 2\ndone:\n    ret\nsection .data\nx: dd 0\ny: dd 0\nz: dd 0\nl: dd 0\n`
  it.each(['mfence', 'cpuid', 'lock inc dword [l]'])('may drain before the load that follows: %s', (fence) => {
    for (const engine of ['graph', 'dpor'] as const)
      expect(checkImage(assembleImage(text(fence), { title: 'fence' }), makeModel(), { engine }).violation?.kind).toBe('assertion')
  })
})
