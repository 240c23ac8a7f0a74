// The folder tree is the architecture: who may import whom, as ARCHITECTURE.md says it.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const src = fileURLToPath(new URL('../src', import.meta.url))
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  state: [],
  cpu: ['state'],
  smp: ['cpu', 'state'],
  explore: ['smp', 'cpu'],
  guest: ['cpu', 'smp'],
  patching: ['explore', 'smp', 'cpu', 'guest'],
  replay: ['explore', 'smp', 'cpu'],
  platform: ['cpu', 'smp', 'guest', 'replay', 'explore'],
  litmus: ['guest', 'explore', 'smp', 'cpu'],
  catalogue: ['cost', 'smp'],
  cost: ['smp', 'cpu'],
  mutation: ['explore', 'smp', 'cpu'],
  cli: ['catalogue', 'cost', 'mutation', 'cpu', 'smp', 'explore', 'guest', 'patching', 'replay', 'litmus', 'platform'],
}
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts') && name.includes('/'))
const importsOf = (file: string) => [...readFileSync(join(src, file), 'utf8').matchAll(/(?:from|import) '([^']+)'/g)].map((match) => match[1])

describe('imports', () => {
  it('go in one direction', () => {
    for (const file of files)
      for (const name of importsOf(file)) {
        if (!name.startsWith('.')) continue
        const [from] = file.split('/')
        const [to] = relative(src, join(src, dirname(file), name)).split('/')
        if (from !== to) expect(ALLOWED[from], `${file} imports ${name}`).toContain(to)
      }
  })

  it('of node:* stand in the command only, and files are touched by one module', () => {
    for (const file of files)
      for (const name of importsOf(file)) {
        if (name.startsWith('node:')) expect(file, `${file} imports ${name}`).toMatch(/^cli\//)
        if (name === 'node:fs') expect(file).toBe('cli/files.ts')
      }
  })

  it('are listed for every folder, and ARCHITECTURE.md has a row for each', () => {
    const folders = [...new Set(files.map((file) => file.split('/')[0]))].sort()
    expect(folders).toEqual(Object.keys(ALLOWED).sort())
    const text = readFileSync(new URL('../ARCHITECTURE.md', import.meta.url), 'utf8')
    for (const folder of folders) expect(text).toContain(`\`src/${folder}\``)
  })
})
