// `xmcheck run` and the replay of its recordings, as their users see them: streams, exit codes, files.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { assembleBytes } from '../../src/guest/asm/index.ts'
import { BIN, commandIn, emptyDirectory, ENVIRONMENT } from './command.ts'

const directory = emptyDirectory()
const xmcheck = commandIn(directory)

/** A flat image of 16-bit code. */
function image(name: string, code: string): string {
  writeFileSync(join(directory, name), assembleBytes(`bits 16\n${code}`))
  return name
}
const say = (text: string) => [...text].map((letter) => `mov al, ${letter.charCodeAt(0)}\nout 0xe9, al\n`).join('')

describe('run', () => {
  it('puts text on stdout, POST codes and the end on stderr; replay says the same', () => {
    const name = image('hello', `${say('hi\n')}mov al, 0x42\nout 0x80, al\ncli\nhlt`)
    const { code, out, err } = xmcheck('run', name, '--record', 'traces/hello.xmt')
    expect([code, out]).toEqual([0, 'hi\n'])
    expect(err).toMatch(/^POST 0x42\n[^]*xmcheck: every vCPU has halted[^]*state hash (0x[0-9a-f]{8})[^]*Replay it: {2}xmcheck replay traces\/hello\.xmt\n$/)
    const again = xmcheck('replay', 'traces/hello.xmt')
    expect([again.code, again.out, /state hash 0x[0-9a-f]{8}/.exec(again.err)![0]]).toEqual([0, 'hi\n', /state hash 0x[0-9a-f]{8}/.exec(err)![0]])
  })
  it('has a document for programs', () => {
    const { code, out } = xmcheck('run', image('json', `${say('a')}mov al, 7\nout 0x90, al\nmov eax, 2\nout 0xf4, eax`), '--post', '0x90', '--json')
    expect(code).toBe(5)
    expect(JSON.parse(out)).toMatchObject({ version: 1, command: 'run', exit: { kind: 'debug-exit', status: 5 }, posts: [7], output: 'a', truncated: false, screen: [], trace: null, divergence: null })
  })
  it.each([
    ['a triple fault', 'lidt [cs:0x7c08]\nud2\ndw 0\ndd 0', 1, /vCPU 0 shut down at [^]*idt=[^]*triple fault on vCPU 0: #UD/], ['a reset', 'mov al, 0xfe\nout 0x64, al', 1, /keyboard controller was asked for a reset/],
    ['a loop for ever', 'cli\nx: jmp x', 3, /goes round in a loop for ever/], ['the limit', 'x: inc eax\nmov [0x500], eax\njmp x', 3, /stopped after 20000 instructions \(--max-instructions\)/],
    ['switching off', 'mov dx, 0x604\nmov ax, 0x2000\nout dx, ax', 0, /switched off/],
  ])('%s has its exit code and message', (name, code, status, message) => {
    const result = xmcheck('run', image(name.replaceAll(' ', '-'), code), '--max-instructions', '20000')
    expect(result.code).toBe(status)
    expect(result.err).toMatch(message)
  })
  it('refuses what it could not record before it runs', () => {
    mkdirSync(join(directory, 'folder'))
    expect(xmcheck('run', image('endless', 'x: mov [0x500], eax\njmp x'), '--record', 'folder')).toMatchObject({ code: 2, err: 'xmcheck: folder: is a directory\n' })
  })
  it.each(['SIGINT', 'SIGTERM'] as const)('writes the recording when %s ends it', async (signal) => {
    const name = image('loop', `${say('x')}l: mov [0x500], eax\ninc eax\njmp l`)
    const child = spawn(process.execPath, [BIN, 'run', name, '--record', `${signal}.xmt`], { cwd: directory, env: ENVIRONMENT, stdio: ['ignore', 'pipe', 'ignore'] })
    child.stdout.once('data', () => child.kill(signal))
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(130)
    expect(existsSync(join(directory, `${signal}.xmt`))).toBe(true)
    expect(xmcheck('replay', `${signal}.xmt`)).toMatchObject({ code: 0, out: 'x' })
  })
})
