/** The command as its users run it: the bundle, in a process of its own. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect } from 'vitest'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const BIN = join(ROOT, 'bin/xmcheck.mjs')
export const ENVIRONMENT = { ...process.env, NO_COLOR: '1' }

/** A directory with nothing in it, which goes when the tests of the file are over. */
export function emptyDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'xmcheck-'))
  afterAll(() => rmSync(directory, { recursive: true }))
  return directory
}

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** `xmcheck` in `directory`; it never shows a stack trace. */
export const commandIn =
  (directory: string) =>
  (...words: string[]): Ran => {
    const run = spawnSync(process.execPath, [BIN, ...words], { cwd: directory, encoding: 'utf8', env: ENVIRONMENT, maxBuffer: 1 << 28 })
    expect(run.stderr, words.join(' ')).not.toMatch(/\n\s+at /)
    return { code: run.status!, out: run.stdout, err: run.stderr }
  }
