// docs/background.md leads to what is there: every entry, variant, study and file that it names exists. README.md counts what is there.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { STUDIES } from '../../src/cost/studies.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const text = (path: string) => readFileSync(join(root, path), 'utf8')
const page = text('docs/background.md')
interface Entry {
  readonly id: string
  readonly variants: readonly { readonly name: string }[]
}
const entries = ['catalogue.json', 'own.json'].flatMap((file) => (JSON.parse(text(`catalogue/${file}`)) as { entries: Entry[] }).entries)

it('docs/background.md names entries and variants that exist, and every entry of section P', () => {
  const named = new Set([...page.matchAll(/\b[A-EP]\d\d\b/g)].map(([id]) => id))
  for (const id of named) expect(entries.map((entry) => entry.id)).toContain(id)
  for (const { id } of entries) if (id.startsWith('P')) expect([...named]).toContain(id)
  for (const [, id, variants] of page.matchAll(/\b([A-EP]\d\d) ((?:`[\w-]+`(?:, )?)+)/g))
    for (const [, name] of variants.matchAll(/`([\w-]+)`/g)) expect(entries.find((entry) => entry.id === id)!.variants.map((one) => one.name), id).toContain(name)
})

it('docs/background.md names studies and files that exist', () => {
  for (const [, study] of page.matchAll(/`cost (\w+)/g)) expect(Object.keys(STUDIES)).toContain(study)
  for (const [path] of page.matchAll(/\b(?:properties|test)\/[\w/.]+\.ts\b/g)) expect(existsSync(join(root, path)), path).toBe(true)
})

it('README.md counts the entries of both catalogues', () => {
  const own = entries.filter(({ id }) => id.startsWith('P')).length
  expect(text('README.md')).toContain(`${entries.length - own} real protocols and bugs`)
  expect(text('README.md')).toContain(`and ${own} of our own on paravirtual operations`)
})
