using CsCheck;
using Garden.Generators.Integration.Weights.Model;

namespace Garden.Generators.Integration.Weights;

/// <summary>Whole updates between small meshes: every byte arrives once, from the right place.</summary>
public sealed class WeightUpdateTests
{
    [Theory]
    [InlineData(8, 1, 2, 2)]
    [InlineData(4, 2, 1, 4)]
    [InlineData(3, 1, 1, 2)]
    [InlineData(1, 3, 2, 1)]
    [InlineData(2, 3, 3, 2)]
    [InlineData(1, 1, 1, 1)]
    [InlineData(5, 1, 4, 1)]
    public void Every_byte_of_a_hybrid_model_arrives_once(int fsdp, int trainerTp, int ep, int tp) =>
        UpdateCheck<SmallMoe>.Run([fsdp, trainerTp], [ep, tp]);

    [Fact]
    public void Every_byte_arrives_once_between_random_meshes() =>
        Gen.Select(Gen.Int[1, 7], Gen.Int[1, 4], Gen.Int[1, 5], Gen.Int[0, 2].Select(power => 1 << power))
            .Sample((fsdp, trainerTp, ep, tp) => UpdateCheck<SmallMoe>.Run([fsdp, trainerTp], [ep, tp]), iter: 25, threads: 1);

    [Theory]
    [InlineData(1, 1, 1, 1)]
    [InlineData(3, 2, 2, 2)]
    [InlineData(8, 1, 4, 1)]
    [InlineData(2, 3, 1, 2)]
    [InlineData(40, 1, 3, 2)]
    public void Every_element_and_scale_of_a_converted_model_arrives_once(int dp, int trainerTp, int ep, int tp) =>
        UpdateCheck<SmallConverted>.Run([dp, trainerTp], [ep, tp]);

    [Fact]
    public void Rows_of_all_lengths_arrive_once() => UpdateCheck<RowLengths>.Run([2, 4], [4]);
}
