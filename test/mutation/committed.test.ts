// What docs/mutants.md says is said of the objects that are there: a program that has changed since is named here. To bring it up to date:
// node scripts/buildMutants.mjs, or with --prune, which only drops what is no longer so. What has not been run is listed on the page.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { beforeAll, describe, expect, it } from 'vitest'
import { addModelFlags, knobsOf, type ModelFlags } from '../../src/cli/common.ts'
import { programKey } from '../../src/mutation/key.ts'
import { makeModel } from '../../src/smp/model.ts'
import { commandIn, ROOT } from '../cli/command.ts'
import { programAt } from '../programs.ts'

interface Form {
  readonly id: string
  readonly label: string
  readonly object: string
  readonly options: readonly string[]
}
type Results = Readonly<Record<string, { readonly key: string }>>

const script = (name: string) => import(join(ROOT, 'scripts', name)) as Promise<unknown>
const text = (path: string) => readFileSync(join(ROOT, path), 'utf8')

let forms: Form[]
let page: { pageOf(root: string, forms: readonly Form[], results: Results): string; locksOf(text: string, forms: readonly Form[], results: Results): string }
const results = JSON.parse(text('catalogue/mutants.json')) as Results

beforeAll(async () => {
  const { fixedForms, lockForms } = (await script('fixedForms.mjs')) as { fixedForms(entries: readonly { file: string | null }[]): Form[]; lockForms(text: string): Form[] }
  const listing = commandIn(ROOT)('catalogue', '--list', '--json').out
  const { entries } = JSON.parse(listing) as { entries: { file: string | null }[] }
  forms = [...fixedForms(entries.filter((entry) => entry.file !== null)), ...lockForms(text('examples/locks/check.c'))]
  page = (await script('mutantsPage.mjs')) as typeof page
}, 60_000)

/** The key of the program as it is now. */
function keyOf({ object, options }: Form): string {
  const command = addModelFlags(new Command()).allowUnknownOption().allowExcessArguments()
  return programKey(programAt(object), makeModel(knobsOf(command.parse([...options], { from: 'user' }).opts<ModelFlags>())))
}

describe('docs/mutants.md', () => {
  it('is of the programs that are there', () => {
    const nameOf = ({ id, label }: Form) => `${id} ${label}`
    const stale = forms.filter((form) => results[nameOf(form)] !== undefined && results[nameOf(form)].key !== keyOf(form)).map(nameOf)
    expect(stale).toEqual([])
    expect(Object.keys(results).filter((name) => !forms.some((form) => nameOf(form) === name))).toEqual([])
  })
  it('is what the results and the reasons in the sources make of it, and every reason fits a survivor', () => {
    // What has not been run is no claim.
    const claims = (page: string) => page.split('\n').filter((line) => !line.startsWith('Not run yet'))
    expect(claims(text('docs/mutants.md'))).toEqual(claims(page.pageOf(ROOT, forms, results)))
    expect(text('docs/locks.md')).toBe(page.locksOf(text('docs/locks.md'), forms, results))
  })
})
