/**
 * Setup file of `npm run docs`: notes which rows of the instruction table the tests of each file complete, in a folder that the
 * environment names.
 */
import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterAll, expect } from 'vitest'
import { FlatMachine } from './flatMachine.ts'
import { rowText } from './native/generate.ts'

const folder = process.env.XMCHECK_EXECUTED!
const rows = new Set<string>()
FlatMachine.onCompleted = (row) => rows.add(rowText(row))
afterAll(() => {
  const name = basename(expect.getState().testPath!, '.test.ts')
  if (rows.size > 0) writeFileSync(join(folder, name), [...rows].join('\n'))
})
