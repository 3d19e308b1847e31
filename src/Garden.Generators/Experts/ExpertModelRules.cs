using Garden.Generators.ModelFiles;

namespace Garden.Generators.Experts;

/// <summary>What a model's config says about its experts.</summary>
internal static class ExpertModelRules
{
    /// <summary>The declaration with what it leaves to its model filled in.</summary>
    public static ExpertDeclaration Complete(
        ExpertDeclaration declaration, IEnumerable<ModelFile<ModelConfig>> configs, List<RuleViolation> found)
    {
        string name = declaration.Model!;
        if (ModelFileLookup.Find(configs, name, "Model", out RuleViolation? violation) is not { } config)
        {
            found.Add(violation!);
            return declaration;
        }

        var merge = new ModelMerge(name, found);
        return declaration with
        {
            Experts = merge.Number("Experts", declaration.Experts, Experts(config)),
            TopK = merge.Number("TopK", declaration.TopK, config.Get("num_experts_per_tok", config.ExpertsPerToken)),
            HiddenSize = merge.Number("HiddenSize", declaration.HiddenSize, config.Get("hidden_size", config.HiddenSize)),
        };
    }

    private static FromModel Experts(ModelConfig config)
    {
        string[] names = ["n_routed_experts", "num_experts", "num_local_experts"];
        return config.Experts is int experts ? FromModel.Of(experts, string.Join(" or ", names))
            : FromModel.Unknown(names.FirstOrDefault(config.Unusable.Contains) is { } unusable
                ? $"{unusable} is not a whole number"
                : "there is no n_routed_experts, num_experts or num_local_experts");
    }
}
