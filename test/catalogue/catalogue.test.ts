// The catalogue: every variant gets the verdict that is known for it, by guest code that knows nothing of it.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { agrees, type Outcome } from '../../src/catalogue/compare.ts'
import { readScenario, ScenarioError, sourceOf } from '../../src/catalogue/scenario.ts'
import { commandIn, emptyDirectory, ROOT } from '../cli/command.ts'
import { LONG } from '../long.ts'

const text = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const run = commandIn(ROOT)
const directory = emptyDirectory()

interface Listed {
  readonly entries: readonly {
    readonly id: string
    readonly file: string | null
    readonly ok: boolean
    readonly variants: readonly { readonly name: string; readonly ok: boolean; readonly expected: string; readonly cases: readonly { readonly violation: unknown }[] }[]
  }[]
}

const MEASURED = 'A44'
/** Searches of seconds, which `xmcheck catalogue` makes too; their counterexamples are replayed by every test run. */
const SLOW: ReadonlySet<string> = new Set(
  'A06 A07 A08 A09 A12 A13 A20 A27 A29 A32 A35 A37 A40 C01 C06 C16 C17 C18 C19 C23 C25 C26 C28 D06 D08 D11'.split(' '),
)

describe('every entry that has a scenario', () => {
  let result: Listed
  beforeAll(() => {
    // Runs in virtual time are long; of the entries that are measured, one stands for all.
    const { entries } = JSON.parse(run('catalogue', '--list', '--json').out) as { entries: { id: string; file: string | null; expected: { verdict: string }[] }[] }
    const built = entries.filter(({ id, file, expected }) => file !== null && (LONG || !SLOW.has(id)) && (id === MEASURED || !expected.some((one) => one.verdict === 'measure')))
    result = JSON.parse(run('catalogue', ...built.map((entry) => entry.id), '--no-ladder', '--no-trace', '--json').out) as Listed
  }, 240_000)

  it('gets the verdict that is known of each variant that is built', () => {
    const wrong = result.entries.flatMap(({ id, variants }) => variants.filter((one) => one.cases.length > 0 && !one.ok).map(({ name, expected }) => `${id} ${name}: expected ${expected}`))
    expect(wrong).toEqual([])
    expect(result.entries.length).toBeGreaterThan(30)
  })
})

describe('the data', () => {
  it('is read by the command alone: no scenario, engine or monitor knows what is expected of it', () => {
    const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
    for (const name of sources) {
      const source = text(`src/${name}`)
      if (/catalogue\.json|own\.json/.test(source)) expect(name).toBe('cli/catalogue.ts')
      if (/from '.*catalogue\/compare\.ts'/.test(source)) expect(name).toBe('cli/catalogue.ts')
    }
    // An id outside of the scenarios would be a case of its own.
    for (const name of sources) if (name !== 'catalogue/scenario.ts' && name !== 'cli/catalogue.ts') expect(text(`src/${name}`)).not.toMatch(/['"`][A-EP]\d\d['"`]/)
  })

  it('has a scenario only for entries and variants that exist', () => {
    const entries = ['catalogue.json', 'own.json'].flatMap((file) => (JSON.parse(text(`catalogue/${file}`)) as { entries: { id: string; variants: { name: string }[] }[] }).entries)
    const files = readdirSync(join(ROOT, 'catalogue'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.c'))
    for (const file of files) {
      const scenario = readScenario(file, text(`catalogue/${file}`))
      const entry = entries.find((one) => one.id === scenario.id)!
      expect(file).toContain(scenario.id)
      for (const variant of scenario.variants) expect(entry.variants.map((one) => one.name), file).toContain(variant.name)
    }
  })
})

describe('the comparator', () => {
  const outcome = (part: Partial<Outcome>): Outcome => ({ verdict: 'holds', strength: 'complete', bounds: {}, stated: {}, metrics: {}, ...part })
  it('wants holds to be complete, or bounded as the entry says', () => {
    expect(agrees('holds', [outcome({})])).toBe(true)
    expect(agrees('holds', [outcome({ strength: 'sampled' })])).toBe(false)
    expect(agrees('holds', [outcome({ strength: 'bounded' })])).toBe(false)
    expect(agrees('holds', [outcome({ strength: 'bounded', bounds: { preemptions: 2 } })])).toBe(false)
    expect(agrees('holds', [outcome({ strength: 'bounded', bounds: { preemptions: 2 }, stated: { preemptions: 2 } })])).toBe(true)
    expect(agrees('holds', [outcome({ verdict: 'unknown' })])).toBe(false)
  })
  it('wants every case of a variant, and at least one', () => {
    expect(agrees('violated', [outcome({ verdict: 'violated' }), outcome({})])).toBe(false)
    expect(agrees('violated', [])).toBe(false)
  })
  it('wants a measure to measure', () => {
    expect(agrees('measure', [outcome({})])).toBe(false)
    expect(agrees('measure', [outcome({ metrics: { steps: 1 } })])).toBe(true)
  })
})

describe('a scenario file', () => {
  const file = `/*
 * A99  A title
 *
 * source: nobody, provenance M
 *
 * variant good: -DFIX=2 --fetch byte
 * variant bad/one:
 */
int a;
#if FIX == 2
int fixed;
#else
int broken;
#endif
#ifdef OTHER
int other;
#endif
`
  it('says what it is', () => {
    const scenario = readScenario('A99.c', file)
    expect(scenario).toMatchObject({ id: 'A99', title: 'A title', source: 'nobody, provenance M' })
    expect(scenario.variants).toEqual([
      { name: 'good', case: '', defines: ['-DFIX=2'], object: 'objects/A99-FIX_2.o', options: ['--fetch', 'byte'] },
      { name: 'bad', case: 'one', defines: [], object: 'objects/A99.o', options: [] },
    ])
  })
  it('is shown as a variant sees it', () => {
    const scenario = readScenario('A99.c', file)
    expect(sourceOf(file, scenario, scenario.variants[0])).toBe('int a;\nint fixed;\n#ifdef OTHER\nint other;\n#endif\n')
    expect(sourceOf(file, scenario, scenario.variants[1])).toContain('int broken;')
  })
  it('is shown by conditions of any kind, and by what the file says where no variant does', () => {
    const head = '/*\n * A99  A title\n *\n * source: nobody, provenance M\n *\n * variant n: -DLATE -DYEAR=2009 -DFORM=XM_DIRECT\n * variant other: -DLEVEL=2 -DON=0\n */\n'
    const shown = (condition: string, which = 0) => {
      const text = `${head}#ifndef LEVEL\n#define LEVEL 3u\n#endif\n#if ${condition}\nyes\n#elif LATE || LEVEL != 2\nno\n#else\nneither\n#endif\n`
      const scenario = readScenario('A99.c', text)
      return sourceOf(text, scenario, scenario.variants[which]).trim().split('\n').at(-1)
    }
    for (const condition of ['LATE', 'defined LATE', 'defined(LATE)', 'YEAR >= 2009', 'YEAR > 2007 && YEAR < 2010', '!defined(ON) && !defined(OFF) && LATE', '(YEAR != 2009 || LATE) && !(YEAR <= 2008)', 'LEVEL == 3', 'LEVEL == 0x3', 'FORM == XM_DIRECT', 'FORM != XM_INLINE && LATE', '!ON && !LATE == 0'])
      expect([condition, shown(condition)]).toEqual([condition, 'yes'])
    for (const condition of ['!LATE', '!defined(LATE) && !defined(ON)', 'YEAR != 2009', 'YEAR < 2009', 'LEVEL == 2', 'FORM == XM_INLINE', 'LATE && (ON || YEAR == 0)'])
      expect([condition, shown(condition)]).toEqual([condition, 'no'])
    expect([shown('LATE', 1), shown('LEVEL == 2', 1), shown('ON', 1), shown('defined(ON)', 1)]).toEqual(['neither', 'yes', 'neither', 'yes'])
    for (const bad of ['LATE &&', '(LATE', 'LATE LATE', 'LATE + 1', '== LATE']) expect(() => shown(bad), bad).toThrow(SyntaxError)
  })
  it('without a head is refused', () => {
    for (const bad of ['int a;', '/* nothing */', '/*\n * A99  T\n * source: x\n */', '/*\n * A99  T\n * variant a:\n */', '/*\n * A99  T\n * source: x\n * variant a b: c\n */'])
      expect(() => readScenario('x.c', bad)).toThrow(ScenarioError)
  })
})

describe('xmcheck catalogue', () => {
  it('refuses what is not there', () => {
    expect(run('catalogue', 'Z99')).toMatchObject({ code: 2 })
  })

  it('exports what a user can start from, with the same verdict', () => {
    expect(run('catalogue', 'A02', 'A07', '--export', directory).code).toBe(0)
    const commands = readFileSync(join(directory, 'commands.txt'), 'utf8').trim().split('\n')
    expect(commands).toContain('xmcheck check A07.independent-chunks.o --fetch independent:4')
    const verdicts = commands.map((line) => {
      const [, , object, ...options] = line.split(' ')
      return run('check', join(directory, object), ...options, '--out', directory).code
    })
    expect(verdicts).toEqual([0, 0, 1, 1, 0])
  })

  it('shows how variants differ', () => {
    expect(run('catalogue', 'A03', '--diff', '--no-ladder', '--no-color', '--out', directory).out).toContain('-\txm_sync_core();')
  })
})
