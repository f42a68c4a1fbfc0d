import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';
import { house, impureGlobals, nodeGlobals, processBelongsToMain, pureSyntax } from './eslint.imports.ts';

const tests = ['tests/**', 'bench/**', '**/*.test.ts', '**/*.contract.ts'];

export default defineConfig(
  globalIgnores(['data/', 'coverage/', '.cache/', 'dist/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    plugins: { house },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'house/imports': 'error',
      eqeqeq: 'error',
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      // A port's method is `async` so that it rejects and never throws, also where an adapter has nothing to await.
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
    },
  },
  {
    files: ['**/*.ts'],
    ignores: ['main/**', 'cli/**', ...tests, '*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...processBelongsToMain] },
  },
  {
    files: ['schemas/**/*.ts', 'domain/**/*.ts', '**/project-*.ts'],
    ignores: tests,
    rules: {
      'no-restricted-globals': ['error', ...impureGlobals],
      'no-restricted-syntax': ['error', ...pureSyntax],
    },
  },
  {
    files: ['client/**/*.ts'],
    ignores: ['client/file-*.ts', ...tests],
    rules: { 'no-restricted-globals': ['error', ...nodeGlobals] },
  },
);
