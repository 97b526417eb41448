# ruff: noqa: E501 - a row of the table is one line
"""Every instruction form, as the manual prints it: bits, text, and what it needs.

A row is ``bits | text ; other text | cost-class attributes``.

*Bits*: ``0`` and ``1`` are fixed; letters are fields, collected from the most significant bit
down, so a field split over the word ("i:imm3:imm8") is one letter. 16 or 32 of them.

*Text*: ``{...}`` may be left out; an omitted ``Rd`` is the register after it. ``a/b`` are two
names of one instruction, the first preferred.

    addS       "adds" outside an IT block, "add<c>" inside one (narrow forms)
    and{s}     the ``s`` bit sets flags
    bCC        the condition is part of the encoding (field c)
    Rd         register in field d, neither sp nor pc;  Sd also sp;  Pd also pc;  Xd any
    Fd, Dd     single or double FP register (field d and the lone bit D)
    #i  #i*4   unsigned, scaled;  #i+1 biased;  #i%32 counts 1..32 with 32 stored as 0
    #i>1       at least 1;  #hi is the fields h:i;  #i~ modified immediate;  #±i sign in bit u
    (Rt)       a list of this one register
    SHIFT      lsl/lsr/asr/ror #n or rrx (fields t and i)
    REGS       register list (r low registers, L lr, P pc);  FLIST, DLIST FP registers
    @TYPE      a place in the program, filled by the relocation R_ARM_TYPE

*Attributes*: v7m (not on v6-M), dsp, fp, fp5, dp, v8m: what the core must have. ``noit``: not
inside an IT block; ``last``: only as its last instruction. ``x=y``: field x repeats field y.
``!rule``: a rule of fwgen.thumb.operands that must hold or the result is UNPREDICTABLE.

Source: Arm ARM DDI0403 A5, A7.7; FPv5 and v8-M rows DDI0553 C2.
"""

from __future__ import annotations

from itertools import product

_NARROW = """
0000000000 mmm ddd        | movs Rd, Rm                                   | alu noit
00000 iiiii mmm ddd       | lslS {Rd,} Rm, #i>1 ; movS Rd, Rm, lsl #i>1   | alu
00001 iiiii mmm ddd       | lsrS {Rd,} Rm, #i%32 ; movS Rd, Rm, lsr #i%32 | alu
00010 iiiii mmm ddd       | asrS {Rd,} Rm, #i%32 ; movS Rd, Rm, asr #i%32 | alu
00110 ddd iiiiiiii        | addS {Rd,} Rd, #i                             | alu
00111 ddd iiiiiiii        | subS {Rd,} Rd, #i                             | alu
0001100 mmm nnn ddd       | addS {Rd,} Rn, Rm                             | alu
0001101 mmm nnn ddd       | subS {Rd,} Rn, Rm                             | alu
0001110 iii nnn ddd       | addS {Rd,} Rn, #i                             | alu
0001111 iii nnn ddd       | subS {Rd,} Rn, #i                             | alu
00100 ddd iiiiiiii        | movS Rd, #i                                   | alu
00101 nnn iiiiiiii        | cmp Rn, #i                                    | alu
010000 0000 mmm ddd       | andS {Rd,} Rd, Rm ; andS Rd, Rm, Rd           | alu
010000 0001 mmm ddd       | eorS {Rd,} Rd, Rm ; eorS Rd, Rm, Rd           | alu
010000 0010 mmm ddd       | lslS {Rd,} Rd, Rm ; movS Rd, Rd, lsl Rm       | alu
010000 0011 mmm ddd       | lsrS {Rd,} Rd, Rm ; movS Rd, Rd, lsr Rm       | alu
010000 0100 mmm ddd       | asrS {Rd,} Rd, Rm ; movS Rd, Rd, asr Rm       | alu
010000 0101 mmm ddd       | adcS {Rd,} Rd, Rm ; adcS Rd, Rm, Rd           | alu
010000 0110 mmm ddd       | sbcS {Rd,} Rd, Rm                             | alu
010000 0111 mmm ddd       | rorS {Rd,} Rd, Rm ; movS Rd, Rd, ror Rm       | alu
010000 1000 mmm nnn       | tst Rn, Rm                                    | alu
010000 1001 nnn ddd       | rsbS {Rd,} Rn, #0 ; negS Rd, Rn               | alu
010000 1010 mmm nnn       | cmp Rn, Rm                                    | alu
010000 1011 mmm nnn       | cmn Rn, Rm                                    | alu
010000 1100 mmm ddd       | orrS {Rd,} Rd, Rm ; orrS Rd, Rm, Rd           | alu
010000 1101 nnn ddd       | mulS Rd, Rn, Rd ; mulS {Rd,} Rd, Rn           | mul
010000 1110 mmm ddd       | bicS {Rd,} Rd, Rm                             | alu
010000 1111 mmm ddd       | mvnS Rd, Rm                                   | alu
01000100 d mmmm ddd       | add {Xd,} Xd, Xm ; add Xd, Xm, Xd             | alu !pc-last !not-both-pc
01000101 n mmmm nnn       | cmp Xn, Xm                                    | alu !one-is-high
01000110 d mmmm ddd       | mov Xd, Xm                                    | alu !pc-last
010001110 mmmm 000        | bx Xm                                         | branch last
010001111 mmmm 000        | blx Sm                                        | branch last
01001 ttt iiiiiiii        | ldr Rt, [pc{, #i*4}] ; ldr Rt, @THM_PC8         | load
0101000 mmm nnn ttt       | str Rt, [Rn, Rm]                              | store-reg
0101001 mmm nnn ttt       | strh Rt, [Rn, Rm]                             | store-reg
0101010 mmm nnn ttt       | strb Rt, [Rn, Rm]                             | store-reg
0101011 mmm nnn ttt       | ldrsb Rt, [Rn, Rm]                            | load
0101100 mmm nnn ttt       | ldr Rt, [Rn, Rm]                              | load
0101101 mmm nnn ttt       | ldrh Rt, [Rn, Rm]                             | load
0101110 mmm nnn ttt       | ldrb Rt, [Rn, Rm]                             | load
0101111 mmm nnn ttt       | ldrsh Rt, [Rn, Rm]                            | load
01100 iiiii nnn ttt       | str Rt, [Rn{, #i*4}]                          | store
01101 iiiii nnn ttt       | ldr Rt, [Rn{, #i*4}]                          | load
01110 iiiii nnn ttt       | strb Rt, [Rn{, #i}]                           | store
01111 iiiii nnn ttt       | ldrb Rt, [Rn{, #i}]                           | load
10000 iiiii nnn ttt       | strh Rt, [Rn{, #i*2}]                         | store
10001 iiiii nnn ttt       | ldrh Rt, [Rn{, #i*2}]                         | load
10010 ttt iiiiiiii        | str Rt, [sp{, #i*4}]                          | store
10011 ttt iiiiiiii        | ldr Rt, [sp{, #i*4}]                          | load
10100 ddd iiiiiiii        | add Rd, pc, #i*4 ; adr Rd, @THM_PC8           | alu
10101 ddd iiiiiiii        | add Rd, sp, #i*4                              | alu
101100000 iiiiiii         | add {sp,} sp, #i*4                            | alu
101100001 iiiiiii         | sub {sp,} sp, #i*4                            | alu
101100 i 1 iiiii nnn      | cbz Rn, @THM_JUMP6                            | branch v7m noit
101110 i 1 iiiii nnn      | cbnz Rn, @THM_JUMP6                           | branch v7m noit
1011001000 mmm ddd        | sxth Rd, Rm                                     | alu
1011001001 mmm ddd        | sxtb Rd, Rm                                     | alu
1011001010 mmm ddd        | uxth Rd, Rm                                     | alu
1011001011 mmm ddd        | uxtb Rd, Rm                                     | alu
1011010 L rrrrrrrr        | push REGS ; stmdb/stmfd sp!, REGS | store-multiple !listed
1011110 P rrrrrrrr        | pop REGS ; ldm/ldmia/ldmfd sp!, REGS | load-multiple !listed !pc-listed-last
10110110011 00 0 10       | cpsie i                                       | system noit
10110110011 00 0 01       | cpsie f                                       | system v7m noit
10110110011 00 0 11       | cpsie if                                      | system v7m noit
10110110011 10 0 10       | cpsid i                                       | system noit
10110110011 10 0 01       | cpsid f                                       | system v7m noit
10110110011 10 0 11       | cpsid if                                      | system v7m noit
1011101000 mmm ddd        | rev Rd, Rm                                    | alu
1011101001 mmm ddd        | rev16 Rd, Rm                                  | alu
1011101011 mmm ddd        | revsh Rd, Rm                                  | alu
10111110 iiiiiiii         | bkpt {#i}                                     | system
10111111 cccc xxxx        | IT                                            | it v7m noit
1011111100000000          | nop                                           | alu
0100011011000000          | mov r8, r8 ; nop                              | alu
1011111100010000          | yield                                         | alu
1011111100100000          | wfe                                           | alu
1011111100110000          | wfi                                           | alu
1011111101000000          | sev                                           | alu
10111111 hhhh 0000        | hint #h                                       | alu
11000 nnn rrrrrrrr        | stm/stmia/stmea Rn!, REGS | store-multiple !listed !base-first
11001 nnn rrrrrrrr        | ldm/ldmia/ldmfd Rn!, REGS ?unlisted ; ldm/ldmia/ldmfd Rn, REGS ?relisted | load-multiple !listed
1101 cccc iiiiiiii        | bCC @THM_JUMP8                                | branch noit
11011110 iiiiiiii         | udf #i                                        | alu
11011111 iiiiiiii         | svc #i                                        | system
11100 iiiiiiiiiii         | b @THM_JUMP11                                 | branch last
"""

_WIDE = """
1110100010 0 0 nnnn 0 L 0 rrrrrrrrrrrrr | stm/stmia/stmea Sn, REGS | store-multiple !two-listed
1110100010 1 0 nnnn 0 L 0 rrrrrrrrrrrrr | stm/stmia/stmea Sn!, REGS | store-multiple !two-listed !base-unlisted
1110100010 0 1 nnnn P L 0 rrrrrrrrrrrrr | ldm/ldmia/ldmfd Sn, REGS | load-multiple !two-listed !pc-or-lr !pc-listed-last
1110100010 1 1 nnnn P L 0 rrrrrrrrrrrrr | ldm/ldmia/ldmfd Sn!, REGS | load-multiple !two-listed !pc-or-lr !base-unlisted !pc-listed-last
1110100100 0 0 nnnn 0 L 0 rrrrrrrrrrrrr | stmdb/stmfd Sn, REGS | store-multiple !two-listed
1110100100 1 0 nnnn 0 L 0 rrrrrrrrrrrrr | stmdb/stmfd Sn!, REGS | store-multiple !two-listed !base-unlisted
1110100100 0 1 nnnn P L 0 rrrrrrrrrrrrr | ldmdb/ldmea Sn, REGS | load-multiple !two-listed !pc-or-lr !pc-listed-last
1110100100 1 1 nnnn P L 0 rrrrrrrrrrrrr | ldmdb/ldmea Sn!, REGS | load-multiple !two-listed !pc-or-lr !base-unlisted !pc-listed-last
1110100100 1 0 1101 0 L 0 rrrrrrrrrrrrr | push REGS ; stmdb/stmfd sp!, REGS | store-multiple !two-listed
1110100010 1 1 1101 P L 0 rrrrrrrrrrrrr | pop REGS ; ldm/ldmia/ldmfd sp!, REGS | load-multiple !two-listed !pc-or-lr !pc-listed-last
111110000100 1101 tttt 1101 00000100    | push (Rt) ; str Rt, [sp, #-4]! | store
111110000101 1101 tttt 1011 00000100    | pop (Xt) ; ldr Xt, [sp], #4    | load !t-not-sp !pc-loaded-last

11101001 u100 nnnn tttt ssss iiiiiiii   | strd Rt, Rs, [Sn{, #±i*4}]    | store-double
11101001 u110 nnnn tttt ssss iiiiiiii   | strd Rt, Rs, [Sn, #±i*4]!     | store-double !base-not-ts
11101000 u110 nnnn tttt ssss iiiiiiii   | strd Rt, Rs, [Sn], #±i*4      | store-double !base-not-ts
11101001 u101 nnnn tttt ssss iiiiiiii   | ldrd Rt, Rs, [Sn{, #±i*4}]    | load-double !t-not-s
11101001 u111 nnnn tttt ssss iiiiiiii   | ldrd Rt, Rs, [Sn, #±i*4]!     | load-double !t-not-s !base-not-ts
11101000 u111 nnnn tttt ssss iiiiiiii   | ldrd Rt, Rs, [Sn], #±i*4      | load-double !t-not-s !base-not-ts
11101001 u101 1111 tttt ssss iiiiiiii   | ldrd Rt, Rs, [pc{, #±i*4}] ; ldrd Rt, Rs, @LDRD_PC8 | load-double !t-not-s
111010000100 nnnn tttt dddd iiiiiiii    | strex Rd, Rt, [Sn{, #i*4}]    | store-exclusive !d-not-nt
111010000101 nnnn tttt 1111 iiiiiiii    | ldrex Rt, [Sn{, #i*4}]        | load-exclusive
111010001100 nnnn tttt 1111 0100 dddd   | strexb Rd, Rt, [Sn]           | store-exclusive !d-not-nt
111010001100 nnnn tttt 1111 0101 dddd   | strexh Rd, Rt, [Sn]           | store-exclusive !d-not-nt
111010001101 nnnn tttt 1111 0100 1111   | ldrexb Rt, [Sn]               | load-exclusive
111010001101 nnnn tttt 1111 0101 1111   | ldrexh Rt, [Sn]               | load-exclusive
111010001101 nnnn 11110000 0000 mmmm    | tbb [Pn, Rm]                  | table-branch last
111010001101 nnnn 11110000 0001 mmmm    | tbh [Pn, Rm, lsl #1]          | table-branch last
1111001110111111 1000111100101111       | clrex                         | alu

11101010000 1 nnnn 0 iii 1111 ii tt mmmm | tst Rn, Rm{, SHIFT}          | alu
11101010000 s nnnn 0 iii dddd ii tt mmmm | and{s} {Rd,} Rn, Rm{, SHIFT} | alu
11101010001 s nnnn 0 iii dddd ii tt mmmm | bic{s} {Rd,} Rn, Rm{, SHIFT} | alu
11101010010 s 1111 0 000 dddd 00 00 mmmm | mov{s} Sd, Sm                | alu !sp-plain-move
11101010010 s 1111 0 iii dddd ii 00 mmmm | lsl{s} {Rd,} Rm, #i>1 ; mov{s} Rd, Rm, lsl #i>1 | alu
11101010010 s 1111 0 iii dddd ii 01 mmmm | lsr{s} {Rd,} Rm, #i%32 ; mov{s} Rd, Rm, lsr #i%32 | alu
11101010010 s 1111 0 iii dddd ii 10 mmmm | asr{s} {Rd,} Rm, #i%32 ; mov{s} Rd, Rm, asr #i%32 | alu
11101010010 s 1111 0 000 dddd 00 11 mmmm | rrx{s} Rd, Rm ; mov{s} Rd, Rm, rrx | alu
11101010010 s 1111 0 iii dddd ii 11 mmmm | ror{s} {Rd,} Rm, #i>1 ; mov{s} Rd, Rm, ror #i>1 | alu
11101010010 s nnnn 0 iii dddd ii tt mmmm | orr{s} {Rd,} Rn, Rm{, SHIFT} | alu
11101010011 s 1111 0 iii dddd ii tt mmmm | mvn{s} Rd, Rm{, SHIFT}       | alu
11101010011 s nnnn 0 iii dddd ii tt mmmm | orn{s} {Rd,} Rn, Rm{, SHIFT} | alu
11101010100 1 nnnn 0 iii 1111 ii tt mmmm | teq Rn, Rm{, SHIFT}          | alu
11101010100 s nnnn 0 iii dddd ii tt mmmm | eor{s} {Rd,} Rn, Rm{, SHIFT} | alu
11101010110 0 nnnn 0 iii dddd ii 00 mmmm | pkhbt {Rd,} Rn, Rm{, lsl #i} | alu dsp
11101010110 0 nnnn 0 iii dddd ii 10 mmmm | pkhtb {Rd,} Rn, Rm, asr #i%32 | alu dsp
11101011000 1 nnnn 0 iii 1111 ii tt mmmm | cmn Sn, Rm{, SHIFT}          | alu
11101011000 s 1101 0 iii dddd ii tt mmmm | add{s} {Sd,} sp, Rm{, SHIFT} | alu !sp-shift
11101011000 s nnnn 0 iii dddd ii tt mmmm | add{s} {Rd,} Rn, Rm{, SHIFT} | alu
11101011010 s nnnn 0 iii dddd ii tt mmmm | adc{s} {Rd,} Rn, Rm{, SHIFT} | alu
11101011011 s nnnn 0 iii dddd ii tt mmmm | sbc{s} {Rd,} Rn, Rm{, SHIFT} | alu
11101011101 1 nnnn 0 iii 1111 ii tt mmmm | cmp Sn, Rm{, SHIFT}          | alu
11101011101 s 1101 0 iii dddd ii tt mmmm | sub{s} {Sd,} sp, Rm{, SHIFT} | alu !sp-shift
11101011101 s nnnn 0 iii dddd ii tt mmmm | sub{s} {Rd,} Rn, Rm{, SHIFT} | alu
11101011110 s nnnn 0 iii dddd ii tt mmmm | rsb{s} {Rd,} Rn, Rm{, SHIFT} | alu

11110 i 00000 1 nnnn 0 iii 1111 iiiiiiii | tst Rn, #i~                  | alu
11110 i 00000 s nnnn 0 iii dddd iiiiiiii | and{s} {Rd,} Rn, #i~         | alu
11110 i 00001 s nnnn 0 iii dddd iiiiiiii | bic{s} {Rd,} Rn, #i~         | alu
11110 i 00010 s 1111 0 iii dddd iiiiiiii | mov{s} Rd, #i~               | alu
11110 i 00010 s nnnn 0 iii dddd iiiiiiii | orr{s} {Rd,} Rn, #i~         | alu
11110 i 00011 s 1111 0 iii dddd iiiiiiii | mvn{s} Rd, #i~               | alu
11110 i 00011 s nnnn 0 iii dddd iiiiiiii | orn{s} {Rd,} Rn, #i~         | alu
11110 i 00100 1 nnnn 0 iii 1111 iiiiiiii | teq Rn, #i~                  | alu
11110 i 00100 s nnnn 0 iii dddd iiiiiiii | eor{s} {Rd,} Rn, #i~         | alu
11110 i 01000 1 nnnn 0 iii 1111 iiiiiiii | cmn Sn, #i~                  | alu
11110 i 01000 s 1101 0 iii dddd iiiiiiii | add{s} {Sd,} sp, #i~         | alu
11110 i 01000 s nnnn 0 iii dddd iiiiiiii | add{s} {Rd,} Rn, #i~         | alu
11110 i 01010 s nnnn 0 iii dddd iiiiiiii | adc{s} {Rd,} Rn, #i~         | alu
11110 i 01011 s nnnn 0 iii dddd iiiiiiii | sbc{s} {Rd,} Rn, #i~         | alu
11110 i 01101 1 nnnn 0 iii 1111 iiiiiiii | cmp Sn, #i~                  | alu
11110 i 01101 s 1101 0 iii dddd iiiiiiii | sub{s} {Sd,} sp, #i~         | alu
11110 i 01101 s nnnn 0 iii dddd iiiiiiii | sub{s} {Rd,} Rn, #i~         | alu
11110 i 01110 s nnnn 0 iii dddd iiiiiiii | rsb{s} {Rd,} Rn, #i~         | alu
11110 0 01110 s nnnn 0 000 dddd 00000000 | rsb{s} {Rd,} Rn, #0 ; neg{s} Rd, Rn | alu

11110 i 100000 1111 0 iii dddd iiiiiiii | add/addw Rd, pc, #i ; adr Rd, @THM_ALU_PREL_11_0 | alu
11110 i 101010 1111 0 iii dddd iiiiiiii | sub/subw Rd, pc, #i ; adr Rd, @SUB_PC12 | alu
11110 i 100000 1101 0 iii dddd iiiiiiii | addw/add {Sd,} sp, #i | alu
11110 i 100000 nnnn 0 iii dddd iiiiiiii | addw/add {Rd,} Rn, #i | alu
11110 i 101010 1101 0 iii dddd iiiiiiii | subw/sub {Sd,} sp, #i | alu
11110 i 101010 nnnn 0 iii dddd iiiiiiii | subw/sub {Rd,} Rn, #i | alu
11110 i 100100 hhhh 0 iii dddd iiiiiiii | movw/mov Rd, #hi ; movw Rd, @THM_MOVW_ABS_NC | alu
11110 i 101100 hhhh 0 iii dddd iiiiiiii | movt Rd, #hi ; movt Rd, @THM_MOVT_ABS | alu
11110011000 0 nnnn 0 iii dddd ii 0 wwwww | ssat Rd, #w+1, Rn{, lsl #i}  | alu
11110011001 0 nnnn 0 iii dddd ii 0 wwwww | ssat Rd, #w+1, Rn, asr #i>1  | alu
11110011100 0 nnnn 0 iii dddd ii 0 wwwww | usat Rd, #w, Rn{, lsl #i}    | alu
11110011101 0 nnnn 0 iii dddd ii 0 wwwww | usat Rd, #w, Rn, asr #i>1    | alu
11110011001 0 nnnn 0000 dddd 0000 wwww   | ssat16 Rd, #w+1, Rn          | alu dsp
11110011101 0 nnnn 0000 dddd 0000 wwww   | usat16 Rd, #w, Rn            | alu dsp
11110011010 0 nnnn 0 iii dddd ii 0 wwwww | sbfx Rd, Rn, #i, #w+1        | alu !field-fits
11110011110 0 nnnn 0 iii dddd ii 0 wwwww | ubfx Rd, Rn, #i, #w+1        | alu !field-fits
11110011011 0 1111 0 iii dddd ii 0 mmmmm | bfc Rd, #i, WIDTH            | alu !msb-above-lsb
11110011011 0 nnnn 0 iii dddd ii 0 mmmmm | bfi Rd, Rn, #i, WIDTH        | alu !msb-above-lsb

11111010000 s nnnn 1111 dddd 0000 mmmm  | lsl{s} {Rd,} Rn, Rm ; mov{s} Rd, Rn, lsl Rm | alu
11111010001 s nnnn 1111 dddd 0000 mmmm  | lsr{s} {Rd,} Rn, Rm ; mov{s} Rd, Rn, lsr Rm | alu
11111010010 s nnnn 1111 dddd 0000 mmmm  | asr{s} {Rd,} Rn, Rm ; mov{s} Rd, Rn, asr Rm | alu
11111010011 s nnnn 1111 dddd 0000 mmmm  | ror{s} {Rd,} Rn, Rm ; mov{s} Rd, Rn, ror Rm | alu
111110101000 nnnn 1111 dddd 1000 mmmm   | qadd {Rd,} Rm, Rn             | alu dsp
111110101000 nnnn 1111 dddd 1001 mmmm   | qdadd {Rd,} Rm, Rn            | alu dsp
111110101000 nnnn 1111 dddd 1010 mmmm   | qsub {Rd,} Rm, Rn             | alu dsp
111110101000 nnnn 1111 dddd 1011 mmmm   | qdsub {Rd,} Rm, Rn            | alu dsp
111110101001 nnnn 1111 dddd 1000 mmmm   | rev Rd, Rm                    | alu n=m
111110101001 nnnn 1111 dddd 1001 mmmm   | rev16 Rd, Rm                  | alu n=m
111110101001 nnnn 1111 dddd 1010 mmmm   | rbit Rd, Rm                   | alu n=m
111110101001 nnnn 1111 dddd 1011 mmmm   | revsh Rd, Rm                  | alu n=m
111110101010 nnnn 1111 dddd 1000 mmmm   | sel {Rd,} Rn, Rm              | alu dsp
111110101011 nnnn 1111 dddd 1000 mmmm   | clz Rd, Rm                    | alu n=m

111110110000 nnnn aaaa dddd 0000 mmmm   | mla Rd, Rn, Rm, Ra            | mla
111110110000 nnnn 1111 dddd 0000 mmmm   | mul {Rd,} Rn, Rm              | mul
111110110000 nnnn aaaa dddd 0001 mmmm   | mls Rd, Rn, Rm, Ra            | mla
111110110111 nnnn aaaa dddd 0000 mmmm   | usada8 Rd, Rn, Rm, Ra         | mul dsp
111110110111 nnnn 1111 dddd 0000 mmmm   | usad8 {Rd,} Rn, Rm            | mul dsp
111110111000 nnnn llll hhhh 0000 mmmm   | smull Rl, Rh, Rn, Rm          | mull !lo-not-hi
111110111010 nnnn llll hhhh 0000 mmmm   | umull Rl, Rh, Rn, Rm          | mull !lo-not-hi
111110111100 nnnn llll hhhh 0000 mmmm   | smlal Rl, Rh, Rn, Rm          | mlal !lo-not-hi
111110111110 nnnn llll hhhh 0000 mmmm   | umlal Rl, Rh, Rn, Rm          | mlal !lo-not-hi
111110111110 nnnn llll hhhh 0110 mmmm   | umaal Rl, Rh, Rn, Rm          | mlal dsp !lo-not-hi
111110111001 nnnn 1111 dddd 1111 mmmm   | sdiv {Rd,} Rn, Rm             | divide
111110111011 nnnn 1111 dddd 1111 mmmm   | udiv {Rd,} Rn, Rm             | divide

11110 S cccc hhhhhh 10 J 0 K iiiiiiiiiii | bCC @THM_JUMP19              | branch noit
11110 S hhhhhhhhhh 10 J 1 K iiiiiiiiiii  | b @THM_JUMP24                | branch last
11110 S hhhhhhhhhh 11 J 1 K iiiiiiiiiii  | bl @THM_CALL                 | branch v6m last
111100111000 nnnn 1000 kk 00 ssssssss   | msr SYSW, Rn                  | system v6m
1111001111101111 1000 dddd ssssssss     | mrs Rd, SYSR                  | system v6m
1111001110111111 100011110100 oooo      | dsb {BARRIER}                 | barrier v6m
1111001110111111 100011110101 oooo      | dmb {BARRIER}                 | barrier v6m
1111001110111111 100011110110 oooo      | isb {BARRIER}                 | barrier v6m
1111001110101111 1000000000000000       | nop                           | alu
1111001110101111 1000000000000001       | yield                         | alu
1111001110101111 1000000000000010       | wfe                           | alu
1111001110101111 1000000000000011       | wfi                           | alu
1111001110101111 1000000000000100       | sev                           | alu
1111001110101111 1000000000010100       | csdb                          | alu noit
1111001110101111 10000000 hhhhhhhh      | hint #h                       | alu
1111001110101111 100000001111 iiii      | dbg #i                        | alu
111101111111 iiii 1010 iiiiiiiiiiii     | udf #i                        | alu v6m

1110111 0 ooo 0 nnnn tttt pppp qqq 1 mmmm | mcr COP, #o, Pt, CRn, CRm{, #q} | coprocessor
1110111 0 ooo 1 nnnn tttt pppp qqq 1 mmmm | mrc COP, #o, TARGET, CRn, CRm{, #q} | coprocessor
1111111 0 ooo 0 nnnn tttt pppp qqq 1 mmmm | mcr2 COP, #o, Pt, CRn, CRm{, #q} | coprocessor
1111111 0 ooo 1 nnnn tttt pppp qqq 1 mmmm | mrc2 COP, #o, TARGET, CRn, CRm{, #q} | coprocessor
1110111 0 oooo nnnn dddd pppp qqq 0 mmmm  | cdp COP, #o, CRd, CRn, CRm, #q | coprocessor
1111111 0 oooo nnnn dddd pppp qqq 0 mmmm  | cdp2 COP, #o, CRd, CRn, CRm, #q | coprocessor
111011000100 ssss tttt pppp oooo mmmm     | mcrr COP, #o, Rt, Rs, CRm     | coprocessor
111111000100 ssss tttt pppp oooo mmmm     | mcrr2 COP, #o, Rt, Rs, CRm    | coprocessor
111111000101 ssss tttt pppp oooo mmmm     | mrrc2 COP, #o, Rt, Rs, CRm    | coprocessor !t-not-s
111011000101 ssss tttt pppp oooo mmmm     | mrrc COP, #o, Rt, Rs, CRm     | coprocessor !t-not-s

010001110 mmmm 100                      | bxns Sm                       | branch v8m last
010001111 mmmm 100                      | blxns Sm                      | branch v8m last
1110100101111111 1110100101111111       | sg                            | alu v8m noit
1110100001 00 nnnn 1111 dddd 00 000000  | tt Rd, Rn                     | alu v8m
1110100001 00 nnnn 1111 dddd 01 000000  | ttt Rd, Rn                    | alu v8m
1110100001 00 nnnn 1111 dddd 10 000000  | tta Rd, Rn                    | alu v8m
1110100001 00 nnnn 1111 dddd 11 000000  | ttat Rd, Rn                   | alu v8m
111010001101 nnnn tttt 1111 1000 1111   | ldab Rt, [Sn]                 | load v8m
111010001101 nnnn tttt 1111 1001 1111   | ldah Rt, [Sn]                 | load v8m
111010001101 nnnn tttt 1111 1010 1111   | lda Rt, [Sn]                  | load v8m
111010001101 nnnn tttt 1111 1100 1111   | ldaexb Rt, [Sn]               | load-exclusive v8m
111010001101 nnnn tttt 1111 1101 1111   | ldaexh Rt, [Sn]               | load-exclusive v8m
111010001101 nnnn tttt 1111 1110 1111   | ldaex Rt, [Sn]                | load-exclusive v8m
111010001100 nnnn tttt 1111 1000 1111   | stlb Rt, [Sn]                 | store v8m
111010001100 nnnn tttt 1111 1001 1111   | stlh Rt, [Sn]                 | store v8m
111010001100 nnnn tttt 1111 1010 1111   | stl Rt, [Sn]                  | store v8m
111010001100 nnnn tttt 1111 1100 dddd   | stlexb Rd, Rt, [Sn]           | store-exclusive v8m !d-not-nt
111010001100 nnnn tttt 1111 1101 dddd   | stlexh Rd, Rt, [Sn]           | store-exclusive v8m !d-not-nt
111010001100 nnnn tttt 1111 1110 dddd   | stlex Rd, Rt, [Sn]            | store-exclusive v8m !d-not-nt
"""

_FLOAT = """
11101101 u D 01 nnnn dddd 1010 iiiiiiii | vldr{.32} Fd, [Sn{, #±i*4}]   | fp-load
11101101 u D 01 1111 dddd 1010 iiiiiiii | vldr{.32} Fd, [pc{, #±i*4}] ; vldr{.32} Fd, @VLDR_PC8 | fp-load
11101101 u D 00 nnnn dddd 1010 iiiiiiii | vstr{.32} Fd, [Sn{, #±i*4}]   | fp-store
11101101 u D 01 nnnn dddd 1011 iiiiiiii | vldr{.64} Dd, [Sn{, #±i*4}]   | fp-load-double
11101101 u D 01 1111 dddd 1011 iiiiiiii | vldr{.64} Dd, [pc{, #±i*4}] ; vldr{.64} Dd, @VLDR_PC8 | fp-load-double
11101101 u D 00 nnnn dddd 1011 iiiiiiii | vstr{.64} Dd, [Sn{, #±i*4}]   | fp-store-double
11101100 1 D 01 nnnn dddd 1010 iiiiiiii | vldm/vldmia Sn, FLIST | fp-multiple
11101100 1 D 11 nnnn dddd 1010 iiiiiiii | vldm/vldmia Sn!, FLIST | fp-multiple
11101101 0 D 11 nnnn dddd 1010 iiiiiiii | vldmdb Sn!, FLIST             | fp-multiple
11101100 1 D 00 nnnn dddd 1010 iiiiiiii | vstm/vstmia Sn, FLIST | fp-multiple
11101100 1 D 10 nnnn dddd 1010 iiiiiiii | vstm/vstmia Sn!, FLIST | fp-multiple
11101101 0 D 10 nnnn dddd 1010 iiiiiiii | vstmdb Sn!, FLIST             | fp-multiple
11101101 0 D 10 1101 dddd 1010 iiiiiiii | vpush FLIST ; vstmdb sp!, FLIST | fp-multiple
11101100 1 D 11 1101 dddd 1010 iiiiiiii | vpop FLIST ; vldm/vldmia sp!, FLIST | fp-multiple
11101100 1 D 01 nnnn dddd 1011 iiiiiiii | vldm/vldmia Sn, DLIST | fp-multiple
11101100 1 D 11 nnnn dddd 1011 iiiiiiii | vldm/vldmia Sn!, DLIST | fp-multiple
11101101 0 D 11 nnnn dddd 1011 iiiiiiii | vldmdb Sn!, DLIST             | fp-multiple
11101100 1 D 00 nnnn dddd 1011 iiiiiiii | vstm/vstmia Sn, DLIST | fp-multiple
11101100 1 D 10 nnnn dddd 1011 iiiiiiii | vstm/vstmia Sn!, DLIST | fp-multiple
11101101 0 D 10 nnnn dddd 1011 iiiiiiii | vstmdb Sn!, DLIST             | fp-multiple
11101101 0 D 10 1101 dddd 1011 iiiiiiii | vpush DLIST ; vstmdb sp!, DLIST | fp-multiple
11101100 1 D 11 1101 dddd 1011 iiiiiiii | vpop DLIST ; vldm/vldmia sp!, DLIST | fp-multiple

11101110000 0 nnnn tttt 1010 N 0010000  | vmov Fn, Rt                   | fp-alu
11101110000 1 nnnn tttt 1010 N 0010000  | vmov Rt, Fn                   | fp-alu
11101100010 0 ssss tttt 1010 00 M 1 mmmm | vmov Fm, NEXT, Rt, Rs        | fp-move-two !s-pair
11101100010 1 ssss tttt 1010 00 M 1 mmmm | vmov Rt, Rs, Fm, NEXT        | fp-move-two !s-pair !t-not-s
11101100010 0 ssss tttt 1011 00 M 1 mmmm | vmov Dm, Rt, Rs              | fp-move-two
11101100010 1 ssss tttt 1011 00 M 1 mmmm | vmov Rt, Rs, Dm              | fp-move-two !t-not-s
1110111000 x 0 nnnn tttt 1011 N 0010000 | vmov{.32} Dn[x], Rt           | fp-alu
1110111000 x 1 nnnn tttt 1011 N 0010000 | vmov{.32} Rt, Dn[x]           | fp-alu
111011101111 0001 tttt 1010 00010000    | vmrs FLAGS, fpscr             | fp-alu
111011101110 0001 tttt 1010 00010000    | vmsr fpscr, Rt                | fp-alu
"""

# Arithmetic: each row also exists in double precision (bit 8 set, D registers) on a core that has
# it. The text has .f32 where the twin has .f64.
_FLOAT_ARITHMETIC = """
11101110 1 D 11 hhhh dddd 1010 0000 iiii | vmov.f32 Fd, FPIMM           | fp-alu
11101110 1 D 11 0000 dddd 1010 01 M 0 mmmm | vmov.f32 Fd, Fm            | fp-alu
11101110 1 D 11 0000 dddd 1010 11 M 0 mmmm | vabs.f32 Fd, Fm            | fp-alu
11101110 1 D 11 0001 dddd 1010 01 M 0 mmmm | vneg.f32 Fd, Fm            | fp-alu
11101110 1 D 11 0001 dddd 1010 11 M 0 mmmm | vsqrt.f32 Fd, Fm           | fp-sqrt
11101110 1 D 11 0100 dddd 1010 01 M 0 mmmm | vcmp.f32 Fd, Fm            | fp-alu
11101110 1 D 11 0100 dddd 1010 11 M 0 mmmm | vcmpe.f32 Fd, Fm           | fp-alu
11101110 1 D 11 0101 dddd 1010 0100 0000 | vcmp.f32 Fd, ZERO            | fp-alu
11101110 1 D 11 0101 dddd 1010 1100 0000 | vcmpe.f32 Fd, ZERO           | fp-alu
11101110 0 D 00 nnnn dddd 1010 N0M0 mmmm | vmla.f32 Fd, Fn, Fm          | fp-mla
11101110 0 D 00 nnnn dddd 1010 N1M0 mmmm | vmls.f32 Fd, Fn, Fm          | fp-mla
11101110 0 D 01 nnnn dddd 1010 N0M0 mmmm | vnmls.f32 Fd, Fn, Fm         | fp-mla
11101110 0 D 01 nnnn dddd 1010 N1M0 mmmm | vnmla.f32 Fd, Fn, Fm         | fp-mla
11101110 0 D 10 nnnn dddd 1010 N0M0 mmmm | vmul.f32 {Fd,} Fn, Fm        | fp-alu
11101110 0 D 10 nnnn dddd 1010 N1M0 mmmm | vnmul.f32 {Fd,} Fn, Fm       | fp-alu
11101110 0 D 11 nnnn dddd 1010 N0M0 mmmm | vadd.f32 {Fd,} Fn, Fm        | fp-alu
11101110 0 D 11 nnnn dddd 1010 N1M0 mmmm | vsub.f32 {Fd,} Fn, Fm        | fp-alu
11101110 1 D 00 nnnn dddd 1010 N0M0 mmmm | vdiv.f32 {Fd,} Fn, Fm        | fp-divide
11101110 1 D 01 nnnn dddd 1010 N0M0 mmmm | vfnms.f32 Fd, Fn, Fm         | fp-mla
11101110 1 D 01 nnnn dddd 1010 N1M0 mmmm | vfnma.f32 Fd, Fn, Fm         | fp-mla
11101110 1 D 10 nnnn dddd 1010 N0M0 mmmm | vfma.f32 Fd, Fn, Fm          | fp-mla
11101110 1 D 10 nnnn dddd 1010 N1M0 mmmm | vfms.f32 Fd, Fn, Fm          | fp-mla
11111110 0 D 00 nnnn dddd 1010 N0M0 mmmm | vseleq.f32 Fd, Fn, Fm        | fp-alu fp5 noit
11111110 0 D 01 nnnn dddd 1010 N0M0 mmmm | vselvs.f32 Fd, Fn, Fm        | fp-alu fp5 noit
11111110 0 D 10 nnnn dddd 1010 N0M0 mmmm | vselge.f32 Fd, Fn, Fm        | fp-alu fp5 noit
11111110 0 D 11 nnnn dddd 1010 N0M0 mmmm | vselgt.f32 Fd, Fn, Fm        | fp-alu fp5 noit
11111110 1 D 00 nnnn dddd 1010 N0M0 mmmm | vmaxnm.f32 Fd, Fn, Fm        | fp-alu fp5 noit
11111110 1 D 00 nnnn dddd 1010 N1M0 mmmm | vminnm.f32 Fd, Fn, Fm        | fp-alu fp5 noit
11101110 1 D 11 0110 dddd 1010 01 M 0 mmmm | vrintr.f32 Fd, Fm          | fp-alu fp5
11101110 1 D 11 0110 dddd 1010 11 M 0 mmmm | vrintz.f32 Fd, Fm          | fp-alu fp5
11101110 1 D 11 0111 dddd 1010 01 M 0 mmmm | vrintx.f32 Fd, Fm          | fp-alu fp5
11111110 1 D 11 1000 dddd 1010 01 M 0 mmmm | vrinta.f32 Fd, Fm          | fp-alu fp5 noit
11111110 1 D 11 1001 dddd 1010 01 M 0 mmmm | vrintn.f32 Fd, Fm          | fp-alu fp5 noit
11111110 1 D 11 1010 dddd 1010 01 M 0 mmmm | vrintp.f32 Fd, Fm          | fp-alu fp5 noit
11111110 1 D 11 1011 dddd 1010 01 M 0 mmmm | vrintm.f32 Fd, Fm          | fp-alu fp5 noit
"""

# Conversions: the integer or half-precision side stays in an S register, so the twin differs.
_FLOAT_CONVERT = """
11101110 1 D 11 1000 dddd 1010 01 M 0 mmmm | vcvt.f32.u32 Fd, Fm        | fp-alu
11101110 1 D 11 1000 dddd 1010 11 M 0 mmmm | vcvt.f32.s32 Fd, Fm        | fp-alu
11101110 1 D 11 1000 dddd 1011 01 M 0 mmmm | vcvt.f64.u32 Dd, Fm        | fp-alu dp
11101110 1 D 11 1000 dddd 1011 11 M 0 mmmm | vcvt.f64.s32 Dd, Fm        | fp-alu dp
11101110 1 D 11 1100 dddd 1010 11 M 0 mmmm | vcvt.u32.f32 Fd, Fm        | fp-alu
11101110 1 D 11 1101 dddd 1010 11 M 0 mmmm | vcvt.s32.f32 Fd, Fm        | fp-alu
11101110 1 D 11 1100 dddd 1010 01 M 0 mmmm | vcvtr.u32.f32 Fd, Fm       | fp-alu
11101110 1 D 11 1101 dddd 1010 01 M 0 mmmm | vcvtr.s32.f32 Fd, Fm       | fp-alu
11101110 1 D 11 1100 dddd 1011 11 M 0 mmmm | vcvt.u32.f64 Fd, Dm        | fp-alu dp
11101110 1 D 11 1101 dddd 1011 11 M 0 mmmm | vcvt.s32.f64 Fd, Dm        | fp-alu dp
11101110 1 D 11 1100 dddd 1011 01 M 0 mmmm | vcvtr.u32.f64 Fd, Dm       | fp-alu dp
11101110 1 D 11 1101 dddd 1011 01 M 0 mmmm | vcvtr.s32.f64 Fd, Dm       | fp-alu dp
11101110 1 D 11 0111 dddd 1010 11 M 0 mmmm | vcvt.f64.f32 Dd, Fm        | fp-alu dp
11101110 1 D 11 0111 dddd 1011 11 M 0 mmmm | vcvt.f32.f64 Fd, Dm        | fp-alu dp
11101110 1 D 11 0010 dddd 1010 01 M 0 mmmm | vcvtb.f32.f16 Fd, Fm       | fp-alu
11101110 1 D 11 0010 dddd 1010 11 M 0 mmmm | vcvtt.f32.f16 Fd, Fm       | fp-alu
11101110 1 D 11 0011 dddd 1010 01 M 0 mmmm | vcvtb.f16.f32 Fd, Fm       | fp-alu
11101110 1 D 11 0011 dddd 1010 11 M 0 mmmm | vcvtt.f16.f32 Fd, Fm       | fp-alu
"""


def _rows(text: str, *extra: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    return [" ".join((line, *extra)) for line in lines]


def _loads_and_stores() -> list[str]:
    """Wide loads and stores of one register: the same nine shapes for each size. A7.7.43 ff."""
    rows = []
    for name, wide, load in (
        ("strb", "111110000000", False),
        ("strh", "111110000010", False),
        ("str", "111110000100", False),
        ("ldrb", "111110000001", True),
        ("ldrh", "111110000011", True),
        ("ldr", "111110000101", True),
        ("ldrsb", "111110010001", True),
        ("ldrsh", "111110010011", True),
    ):
        word = name == "ldr"
        # Only ldr may name pc (a branch) and only word transfers may name sp.
        t = "Xt" if word else "St" if name == "str" else "Rt"
        kind = "load" if load else "store"
        branch = " !pc-loaded-last" if word else ""
        long = wide[:8] + "1" + wide[9:]
        rows += [
            f"{long} nnnn tttt iiiiiiiiiiii | {name} {t}, [Sn{{, #i}}] | {kind}{branch}",
            f"{wide} nnnn tttt 1100 iiiiiiii | {name} {t}, [Sn, #-i] | {kind}{branch}",
            f"{wide} nnnn tttt 11u1 iiiiiiii | {name} {t}, [Sn, #±i]! | {kind} !base-not-t{branch}",
            f"{wide} nnnn tttt 10u1 iiiiiiii | {name} {t}, [Sn], #±i | {kind} !base-not-t{branch}",
            f"{wide} nnnn tttt 1110 iiiiiiii | {name}t Rt, [Sn{{, #i}}] | {kind}",
            f"{wide} nnnn tttt 000000 ii mmmm | {name} {t}, [Sn, Rm{{, lsl #i}}] "
            f"| {'load' if load else 'store-reg'}{branch}",
        ]
        if load:
            rows.append(
                f"{wide[:8]}u{wide[9:]} 1111 tttt iiiiiiiiiiii "
                f"| {name} {t}, [pc{{, #±i}}] ; {name} {t}, @THM_PC12 | load{branch}"
            )
    for name, wide in (("pld", "111110000001"), ("pli", "111110010001")):
        rows += [
            f"{wide[:8]}1{wide[9:]} nnnn 1111 iiiiiiiiiiii | {name} [Sn{{, #i}}] | alu",
            f"{wide} nnnn 1111 1100 iiiiiiii | {name} [Sn, #-i] | alu",
            f"{wide} nnnn 1111 000000 ii mmmm | {name} [Sn, Rm{{, lsl #i}}] | alu",
            f"{wide[:8]}u{wide[9:]} 1111 1111 iiiiiiiiiiii | {name} [pc{{, #±i}}] | alu",
        ]
    return rows


def _coprocessor_transfers() -> list[str]:
    """LDC and STC: memory to and from a coprocessor. A7.7.40, A7.7.158."""
    rows = []
    for (load, name), (two, mark), (long, size) in product(
        ((0, "stc"), (1, "ldc")), ((0, ""), (1, "2")), ((0, ""), (1, "l"))
    ):
        head, tail = f"111{two}110", f"{load} nnnn dddd pppp iiiiiiii"
        text = f"{name}{mark}{size} COP, CRd"
        base = "Pn" if load else "Sn"
        rows += [
            f"{head} 1u{long}0 {tail} | {text}, [{base}{{, #±i*4}}] | coprocessor",
            f"{head} 1u{long}1 {tail} | {text}, [Sn, #±i*4]! | coprocessor",
            f"{head} 0u{long}1 {tail} | {text}, [Sn], #±i*4 | coprocessor",
            f"{head} 01{long}0 {tail} | {text}, [{base}], (#i) | coprocessor",
        ]
    return rows


def _extends() -> list[str]:
    """Wide sign and zero extension, alone and added to a register. A7.7.181 ff."""
    rows = []
    for op, name in enumerate(("sxth", "uxth", "sxtb16", "uxtb16", "sxtb", "uxtb")):
        bits = f"11111010 0{op:03b}"
        alone = "dsp" if name.endswith("16") else ""
        with_add = name[:3] + "a" + name[3:]
        rows += [
            f"{bits} 1111 1111 dddd 10 rr mmmm | {name} Rd, Rm{{, ror #r*8}} | alu {alone}",
            f"{bits} nnnn 1111 dddd 10 rr mmmm | {with_add} {{Rd,}} Rn, Rm{{, ror #r*8}} | alu dsp",
        ]
    return rows


def _parallel() -> list[str]:
    """Parallel addition and subtraction. A5.3.13, A5.3.14."""
    operations = {0: "add8", 1: "add16", 2: "asx", 4: "sub8", 5: "sub16", 6: "sax"}
    prefixes = {0: "s", 1: "q", 2: "sh", 4: "u", 5: "uq", 6: "uh"}
    return [
        f"11111010 1{op:03b} nnnn 1111 dddd 0{pre:03b} mmmm "
        f"| {prefix}{name} {{Rd,}} Rn, Rm | alu dsp"
        for (op, name), (pre, prefix) in product(operations.items(), prefixes.items())
    ]


def _signed_multiplies() -> list[str]:
    """The DSP multiplies that choose halves (B, T), swap (X) or round (R). A5.3.16, A5.3.17."""
    rows = []
    halves = ((0, "b"), (1, "t"))
    for (n, first), (m, second) in product(halves, halves):
        pick = f"00{n}{m}"
        rows += [
            f"111110110001 nnnn aaaa dddd {pick} mmmm "
            f"| smla{first}{second} Rd, Rn, Rm, Ra | mul dsp",
            f"111110110001 nnnn 1111 dddd {pick} mmmm "
            f"| smul{first}{second} {{Rd,}} Rn, Rm | mul dsp",
            f"111110111100 nnnn llll hhhh 10{n}{m} mmmm "
            f"| smlal{first}{second} Rl, Rh, Rn, Rm | mlal dsp !lo-not-hi",
        ]
    for op, accumulate, alone, variants in (
        ("0010", "smlad", "smuad", ("", "x")),
        ("0011", "smlaw", "smulw", ("b", "t")),
        ("0100", "smlsd", "smusd", ("", "x")),
        ("0101", "smmla", "smmul", ("", "r")),
        ("0110", "smmls", None, ("", "r")),
    ):
        for bit, letter in enumerate(variants):
            tail = f"dddd 000{bit} mmmm"
            rows.append(
                f"11111011 {op} nnnn aaaa {tail} | {accumulate}{letter} Rd, Rn, Rm, Ra | mul dsp"
            )
            if alone:
                rows.append(
                    f"11111011 {op} nnnn 1111 {tail} | {alone}{letter} {{Rd,}} Rn, Rm | mul dsp"
                )
    for op, name in (("1100", "smlald"), ("1101", "smlsld")):
        for bit, letter in enumerate(("", "x")):
            rows.append(
                f"11111011 {op} nnnn llll hhhh 110{bit} mmmm "
                f"| {name}{letter} Rl, Rh, Rn, Rm | mlal dsp !lo-not-hi"
            )
    return rows


def _float_conversions() -> list[str]:
    """Fixed point (A7.7.229) and the FPv5 conversions with an explicit rounding mode."""
    rows = []
    for (z, size, reg), (x, width), (u, sign) in product(
        ((0, "f32", "Fd"), (1, "f64", "Dd")), ((0, 16), (1, 32)), ((0, "s"), (1, "u"))
    ):
        need = "dp" if z else ""
        kind = f"{sign}{width}"
        for direction, text in ((0, f"{size}.{kind}"), (1, f"{kind}.{size}")):
            rows.append(
                f"11101110 1D 111{direction}1{u} dddd 101{z} {x}1 j 0 iiii "
                f"| vcvt.{text} {reg}, {reg}, FBITS{width} | fp-alu {need}"
            )
    for (mode, letter), (s, sign), (z, size, reg) in product(
        enumerate("anpm"), ((0, "u32"), (1, "s32")), ((0, "f32", "Fm"), (1, "f64", "Dm"))
    ):
        need = "dp" if z else ""
        rows.append(
            f"11111110 1D 1111{mode:02b} dddd 101{z} {s}1 M 0 mmmm "
            f"| vcvt{letter}.{sign}.{size} Fd, {reg} | fp-alu fp5 noit {need}"
        )
    return rows


def _double_twins() -> list[str]:
    """The double-precision twin of each arithmetic row: bit 8 set, D registers."""
    rows = []
    for line in _rows(_FLOAT_ARITHMETIC):
        bits, text, attributes = line.split("|")
        packed = bits.replace(" ", "")
        twin = packed[:23] + "1" + packed[24:]
        text = text.replace(".f32", ".f64")
        for letter in "dnm":
            text = text.replace(f"F{letter}", f"D{letter}")
        rows.append(f"{twin} |{text}|{attributes} dp")
    return rows


def rows() -> list[str]:
    """Every row of the table, in order of preference."""
    return [
        *_rows(_NARROW),
        *_rows(_WIDE, "v7m"),
        *_rows("\n".join([*_loads_and_stores(), *_coprocessor_transfers(), *_extends()]), "v7m"),
        *_rows("\n".join([*_parallel(), *_signed_multiplies()]), "dsp"),
        *_rows(_FLOAT, "fp"),
        *_rows(_FLOAT_ARITHMETIC, "fp"),
        *_rows(_FLOAT_CONVERT, "fp"),
        *_rows("\n".join([*_float_conversions(), *_double_twins()]), "fp"),
    ]
