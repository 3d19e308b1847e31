using Microsoft.CodeAnalysis;

namespace Garden.Generators.Tests.Weights;

/// <summary>Generated maps compile without a warning wherever a consumer puts them.</summary>
public sealed class WeightsHostileConsumerTests
{
    [Fact]
    public void Names_in_scope_do_not_get_in_the_way() => Compiles("""
        namespace System.Garden
        {
            /// <summary>In the way.</summary>
            public class ReadOnlySpan;
            /// <summary>In the way.</summary>
            public class ArgumentOutOfRangeException;
            /// <summary>In the way.</summary>
            public class WeightMesh;
            /// <summary>In the way.</summary>
            public class Weights;
            /// <summary>In the way.</summary>
            public class Garden;

            /// <summary>A map.</summary>
            [global::Garden.Weights.WeightShardMap(TrainerMesh = "a=2, b=?", InferenceMesh = "c=?")]
            [global::Garden.Weights.WeightTensor("w.{i:0..3}.{expert:0..4}\u0022", 256, 256, Inference = "shard(0, c)", Convert = global::Garden.Weights.WeightConversion.Float8Block128)]
            [global::Garden.Weights.WeightTensor("v", 5, Trainer = "flat(b)")]
            public partial struct System;
        }
        """);

    [Fact]
    public void Keywords_nesting_and_the_global_namespace_are_fine() => Compiles("""
        using Garden.Weights;

        [WeightShardMap(TrainerMesh = "a=2", InferenceMesh = "a=2")]
        [WeightTensor("w", 8)]
        readonly partial record struct Global;

        static partial class Outer
        {
            partial interface IInner
            {
                [WeightShardMap(TrainerMesh = "a=1", InferenceMesh = "a=1")]
                [WeightTensor("w", 8)]
                private partial struct @struct;
            }
        }
        """);

    [Fact]
    public void The_members_are_usable_as_constants_and_from_generic_code() => Compiles("""
        using Garden.Weights;

        [WeightShardMap(TrainerMesh = "a=2", InferenceMesh = "a=2", Trainer = "flat(a)")]
        [WeightTensor("w.{i:0..3}", 8)]
        partial struct Map;

        static class Use
        {
            private const int Tensors = Map.TensorCount * Map.RuleCount;
            private const ulong Hash = Map.MapHash;
            private static long Sent<T>(int rank) where T : unmanaged, IWeightShardMap<T> => WeightMeshes<T>.Create().SentBy(rank).Bytes + T.TensorCount;
            internal static long All()
            {
                long all = Sent<Map>(0) + Tensors + (long)(Hash >> 1);
                foreach (WeightRun run in WeightMeshes<Map>.Create().Sends(1))
                    all += run.Length;
                return all;
            }
        }
        """);

    [Fact]
    public void Many_tensors_make_little_code()
    {
        Compilation output = Sources.Generate(Sources.Compile("""
            using Garden.Weights;
            [WeightShardMap(TrainerMesh = "a=2", InferenceMesh = "a=2")]
            [WeightTensor("l.{i:0..100}.{expert:0..1000}.w", 8)]
            partial struct Map;
            """));
        Assert.InRange(output.SyntaxTrees.Last().ToString().Length, 1, 4000);
    }

    private static void Compiles(string source)
    {
        Compilation output = Sources.Generate(Sources.Compile(source));
        Assert.Empty(output.GetDiagnostics());
        using var image = new MemoryStream();
        Assert.True(output.Emit(image).Success);
    }
}
