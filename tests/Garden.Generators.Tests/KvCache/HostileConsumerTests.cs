using Microsoft.CodeAnalysis;

namespace Garden.Generators.Tests.KvCache;

/// <summary>
/// Generated code compiles without a warning wherever a consumer puts it: without implicit usings, unsafe blocks or
/// unchecked arithmetic, with documentation checked, and among names that are in the way.
/// </summary>
public sealed class HostileConsumerTests
{
    [Fact]
    public void Names_in_scope_do_not_get_in_the_way() => Compiles("""
        namespace System.Garden
        {
            /// <summary>In the way.</summary>
            public class Span;
            /// <summary>In the way.</summary>
            public class ReadOnlySpan;
            /// <summary>In the way.</summary>
            public class Math;
            /// <summary>In the way.</summary>
            public class KvCache;
            /// <summary>In the way.</summary>
            public class Garden;

            /// <summary>A layout.</summary>
            [global::Garden.KvCache.KvPageLayout(Layers = 2, KvHeads = 4, HeadSize = 8, TokensPerPage = 16)]
            public partial struct System;

            /// <summary>A layout.</summary>
            [global::Garden.KvCache.KvPageLayout(Layers = 2, KvHeads = 4, HeadSize = 8, TokensPerPage = 8, TensorParallel = 2)]
            public partial struct PlanCursor;

            /// <summary>A transfer.</summary>
            [global::Garden.KvCache.KvTransfer<System, PlanCursor>]
            public partial struct KvTransferArguments;
        }
        """);

    [Fact]
    public void Keywords_and_letter_case_are_kept_apart() => Compiles("""
        using Garden.KvCache;
        namespace @event.@class
        {
            /// <summary>A layout.</summary>
            [KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 16)] public partial struct @struct;
            /// <summary>A layout.</summary>
            [KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 8)] public partial struct Struct;
            /// <summary>A transfer.</summary>
            [KvTransfer<@struct, Struct>] public readonly partial struct @ref;
        }
        """);

    [Fact]
    public void Nested_and_global_types_are_completed() => Compiles("""
        using Garden.KvCache;

        [KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 16)]
        readonly partial record struct Global;

        static partial class Outer
        {
            partial record Middle
            {
                partial interface IInner
                {
                    partial record struct Deep
                    {
                        [KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 4, PoolOrder = KvPoolOrder.PageMajor)]
                        private partial struct Layout;

                        [KvTransfer<Global, Layout>]
                        private partial struct Move;
                    }
                }
            }
        }
        """);

    [Fact]
    public void A_layout_of_another_assembly_can_be_a_side()
    {
        Compilation library = Sources.Generate(Sources.Compile("""
            using Garden.KvCache;
            /// <summary>A layout.</summary>
            [KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 16)] public partial struct Remote;
            """).WithAssemblyName("Library"));
        Compilation consumer = Sources.Compile("""
            using Garden.KvCache;
            [KvPageLayout(Layers = 2, LatentSize = 8, TokensPerPage = 32)] partial struct Local;
            [KvTransfer<Remote, Local>] partial struct Move { static int Pages => Move.SourceTokensPerPage; }
            """).AddReferences(library.ToMetadataReference());
        Assert.Empty(Sources.Generate(consumer).GetDiagnostics());
    }

    [Fact]
    public void The_members_are_usable_as_constants_and_from_generic_code() => Compiles("""
        using Garden;
        using Garden.KvCache;

        [KvPageLayout(Layers = 2, KvHeads = 4, HeadSize = 8, TokensPerPage = 16)] partial struct Layout;

        static class Use
        {
            private const long Bytes = Layout.BytesPerPage * Layout.Layers;
            private const ulong Hash = Layout.Transfer.SourceLayoutHash ^ Layout.LayoutHash;
            private static long Pool<T>(int pages) where T : unmanaged, IKvPageLayout<T> => T.PoolBytes(pages) + T.Layers + T.PlaneOffset(1, 0, 0, 1);
            private static long Units<T>(in T plan) where T : unmanaged, ITransferPlan<T> => T.CountUnits(in plan);
            internal static long All() => Pool<Layout>(2) + Bytes + (long)(Hash >> 1) + Units(Layout.Transfer.Create(default));
        }
        """);

    private static void Compiles(string source)
    {
        Compilation output = Sources.Generate(Sources.Compile(source));
        Assert.Empty(output.GetDiagnostics());
        using var image = new MemoryStream();
        Assert.True(output.Emit(image).Success);
    }
}
